import { DIRECTIVES, type Bytes, type Directive } from '#libs/runtime';
import { lineOf, shown } from './directives.js';

/** What each directive is for (runtime contract §3.1), as the comment above it in a new file. */
const MEANING: Readonly<Record<string, string>> = {
  'allow user ns': 'User namespaces: without them only root can start containers.',
  'allow pid ns': 'PID namespaces (--pid, --containall). no: a warning, and the namespace of the host.',
  'allow ipc ns': 'IPC namespaces (--ipc, --containall). no: a warning, and the namespace of the host.',
  'allow uts ns': 'UTS namespaces (--uts, --hostname). no: a warning, and the name of the host.',
  'config passwd': 'Add the caller to the /etc/passwd of the container.',
  'config group': 'Add the groups of the caller to the /etc/group of the container.',
  'config resolv_conf': 'Name servers of the host in the container.',
  'mount proc': 'Mount /proc.',
  'mount sys': 'Mount /sys.',
  'mount dev':
    'The /dev of the host (yes), a few devices that every program expects (minimal), or that of the image (no).',
  'mount devpts': 'Terminals of its own in a minimal /dev.',
  'mount home': 'The home directory of the caller.',
  'mount tmp': '/tmp and /var/tmp of the host.',
  'mount hostfs': 'Every other file system of the host, at the same place.',
  'bind path':
    'Files and folders of the host that every container shows: SRC or SRC:DST. May stand on several lines.',
  'user bind control': 'Callers may bind, and choose home, scratch and working directories.',
  'enable overlay':
    'Overlays: layers of the caller (--overlay, --writable-tmpfs), and mount points that an image lacks. try: these by an underlay where the kernel refuses an overlay.',
  'enable underlay':
    'Mount points that an image lacks, by bind mounts, where there is no overlay. preferred: wherever none is needed.',
  'mount slave': 'What the host mounts later appears in containers that run.',
  'sessiondir max size':
    'MiB in memory for one container: --writable-tmpfs, and /tmp, home and scratch of contained ones.',
  'memory fs type': 'File system of what is in memory. ramfs has no size limit.',
  'allow container sif': 'Images in SIF files.',
  'allow container squashfs': 'Images that are a bare squashfs.',
  'allow container extfs': 'Images that are a bare ext3.',
  'allow container dir': 'Images that are directories.',
  'allow container encrypted': 'Encrypted SIF files.',
  'allow kernel squashfs':
    'Images of root are mounted by the kernel. no: by a program without privilege, as those of users.',
  'max loop devices': 'Loop devices for images of root. 0: none.',
  'tmp sandbox': 'Unpack an image for the run where it cannot be mounted.',
  'user search path':
    'Folders with newuidmap and newgidmap, separated by colons; $PATH is that of the caller. They have to be root’s.',
  'binary path': 'The same under the name that it has in Apptainer.',
  'image server idle': 'Seconds that the server of an image stays for the next start. 0: none is shared.',
  'unpacked cache size':
    'MiB that unpacked images of a user may take, where /dev/fuse is not open to users. 0: none is kept.',
  'root default capabilities': 'Capabilities of root: all, those of capability.json, or none.',
  'allow setuid': 'Of installations with a setuid program, which this is not.',
  'limit container owners':
    'Users whose images users may run. Counts where a setuid program starts them, which is nowhere here.',
  'limit container groups': 'The same for groups.',
  'limit container paths': 'The same for the folders in which images lie.',
  'allow kernel extfs': 'Of installations with a setuid program.',
  'allow setuid-mount encrypted': 'Of installations with a setuid program.',
  'allow setuid-mount squashfs': 'Of installations with a setuid program.',
  'allow setuid-mount extfs': 'Of installations with a setuid program.',
  'allow net users': 'Who may use networks other than none. None of them is offered yet.',
  'allow net groups': 'The same for groups.',
  'allow net networks': 'Which networks these may use.',
  'allow netns paths': 'Which network namespaces these may join.',
  'enable fusemount': '--fusemount, which is not offered yet.',
  'always use nv': 'As if --nv was given, which is not offered yet: yes is refused.',
  'always use rocm': 'As if --rocm was given, which is not offered yet: yes is refused.',
  'use nvidia-container-cli': 'How --nv does its work.',
  'shared loop devices': 'Read, and kept: loop devices are made for each start.',
  'cni configuration path': 'Where networks are described.',
  'cni plugin path': 'Where their programs are.',
  'cryptsetup path': 'Program for encrypted images.',
  'go path': 'Compiler for plugins.',
  'ldconfig path': 'Program that --nv asks for libraries.',
  'mksquashfs path': 'Program that packs images.',
  'unsquashfs path': 'Program that unpacks images.',
  'nvidia-container-cli path': 'Program of use nvidia-container-cli.',
  'root search path': 'Folders with programs for root.',
  'mksquashfs procs': 'Processors for packing images. 0: all.',
  'mksquashfs mem': 'Memory for packing images.',
  'download concurrency': 'Parts of an image that are fetched at once.',
  'download part size': 'Bytes of one part.',
  'download buffer size': 'Bytes of a buffer.',
  'systemd cgroups': 'Limits by systemd, or by cgroup files.',
  'sif fuse': 'Of older versions.',
  'oci mode': 'As if --oci was given, which is not offered: yes is refused.',
  'image driver': 'Plugin that mounts images.',
  'apptheus communication socket path': 'Socket of a monitoring program.',
  'allow monitoring': 'Whether containers tell it of themselves.',
};

/** A new singularity.conf: every directive with what it is for and its built-in value, all of it as without a file. */
export function template(): Bytes {
  const head =
    '# Rules of this installation for containers. Changed by hand or with: sing config global\n' +
    '# A name that stands on no line has its built-in value; of a list it is then empty.\n';
  return head + DIRECTIVES.map((directive) => `\n${section(directive)}`).join('');
}

function section(directive: Directive): Bytes {
  const { name, default: value } = directive;
  const values = typeof value === 'object' ? value : [shown(value)];
  const words =
    directive.type === 'switch'
      ? 'yes or no'
      : directive.type === 'word'
        ? directive.words.join(', ')
        : directive.type;
  const lines = values.filter((one) => one !== '').map((one) => lineOf(directive, one));
  return `# ${latin1(MEANING[name] ?? name)} (${words})\n${lines.length === 0 ? `# ${name} =\n` : lines.map((line) => `${line}\n`).join('')}`;
}

/** The file is written byte by byte. */
const latin1 = (text: string): Bytes => Buffer.from(text, 'utf8').toString('latin1');

/** Directives without a meaning: a test keeps this empty. */
export const withoutMeaning = (): readonly string[] =>
  DIRECTIVES.map(({ name }) => name).filter((name) => MEANING[name] === undefined);

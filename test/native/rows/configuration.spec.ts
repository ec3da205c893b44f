import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { skipContainers } from '../../support/containers.js';
import { useScene } from '../../support/rows.js';
import { isRoot } from '../../support/tester.js';

// Runtime contract §3.1 and what of §5.6 concerns an installation without a setuid program.
describe.skipIf(skipContainers())('rows of the configuration', () => {
  const rows = useScene();
  const { sh, output, refused, conf } = rows;
  const install = (name: string, lines: string): string =>
    rows.scene.installation(name, {
      'singularity.conf': `bind path = /etc/localtime, /etc/hosts\n${lines}\n`,
    });

  it('T165, T166: a file that others could have written, or that is none, is refused with its path', async () => {
    const program = install('owned', 'mount home = no');
    const file = join(rows.scene.folder, 'owned/etc/singularity/singularity.conf');
    expect(await output(`${program} exec $S true`)).toBe('');
    // Only root can give a file away.
    for (const { uid, gid } of isRoot ? [rows.scene.user] : []) {
      chownSync(file, uid, gid);
      await expect(
        refused(`${program} exec $S true`, /singularity\.conf must be owned by root/),
      ).resolves.toBeUndefined();
      chownSync(file, 0, 0);
    }
    for (const mode of [0o666, 0o664, 0o646]) {
      chmodSync(file, mode);
      await expect(
        refused(`${program} exec $S true`, /singularity\.conf must not be writable by group or others/),
      ).resolves.toBeUndefined();
    }
    chmodSync(file, 0o644);
    renameSync(file, `${file}.other`);
    symlinkSync(`${file}.other`, file);
    await expect(
      refused(`${program} exec $S true`, /singularity\.conf must be a regular file, not a link/),
    ).resolves.toBeUndefined();
    rmSync(file);
    mkdirSync(file);
    await expect(
      refused(`${program} exec $S true`, /singularity\.conf must be a regular file/),
    ).resolves.toBeUndefined();
    rmSync(file, { recursive: true });
    expect(await output(`${program} exec $S true`)).toBe('');
  });

  it('T167: --config, and its variable', async () => {
    const path = rows.scene.configuration('other', 'mount home = no');
    expect((await sh(`sing -c ${path} exec $S ls ${rows.scene.user.home}`)).status).not.toBe(0);
    expect(
      (await sh(`sing exec $S ls ${rows.scene.user.home}`, { env: { SINGULARITY_CONFIG_FILE: path } }))
        .status,
    ).not.toBe(0);
    await expect(
      refused('sing -c /nope exec $S true', /could not read the configuration file \/nope/),
    ).resolves.toBeUndefined();
  });

  it.each([
    ['mount dev = maybe', /expected yes, no, minimal for "mount dev" in .*got "maybe"/],
    ['mount home = 1', /expected yes or no for "mount home"/],
    ['sessiondir max size = many', /expected a number for "sessiondir max size"/],
    ['memory fs type = ext4', /expected tmpfs, ramfs for "memory fs type"/],
    ['root default capabilities = some', /expected full, file, no for/],
    ['enable overlay = maybe', /expected yes, no, try, driver for/],
  ])('T168: %s is refused with the words that are allowed', (line, sentence) =>
    expect(refused(`${conf('wrong', line)} exec $S true`, sentence)).resolves.toBeUndefined(),
  );

  it.each(['always use nv = yes', 'always use rocm = yes', 'oci mode = yes'])(
    '%s is refused: this version would not do it',
    (line) =>
      expect(
        refused(`${conf('not-offered', line)} exec $S true`, /is not offered by this version/),
      ).resolves.toBeUndefined(),
  );

  it('what no rule of this version needs is read and kept', async () => {
    const lines = [
      'limit container owners = nobody',
      'allow setuid = no',
      'download concurrency = 7',
      'cni plugin path = /x',
      'future directive = 1',
      'LIMIT CONTAINER PATHS = NULL',
    ];
    expect(await output(`${conf('kept', lines.join('\n'))} exec $S true`)).toBe('');
    await expect(
      refused(
        `${conf('kept-wrong', 'download concurrency = x')} exec $S true`,
        /expected a number for "download concurrency"/,
      ),
    ).resolves.toBeUndefined();
  });

  it.each([
    ['mount proc = no', 'ls /proc | head -1', ''],
    ['mount sys = no', 'ls /sys 2>/dev/null | head -1', ''],
    ['mount tmp = no', 'ls -d /tmp 2>/dev/null', ''],
    ['mount home = no', 'ls -d $HOME 2>/dev/null', ''],
    ['mount devpts = no', '[ -e /dev/pts ] || echo none', 'none'],
    ['bind path = /etc/hosts:/added', 'cat /added', readFileSync('/etc/hosts', 'utf8').trimEnd()],
    ['memory fs type = ramfs', 'touch /dev/shm/x && echo ok', 'ok'],
    ['mount slave = no', 'grep -c master: /proc/self/mountinfo', '0'],
  ])('%s holds', async (line, command, expected) => {
    const contained = line.startsWith('mount devpts') || line.startsWith('memory') ? '-c' : '';
    const ended = await sh(`${conf('holds', line)} exec ${contained} $S sh -c '${command}'`);
    const shown = ended.stdout.trimEnd();
    expect(shown).toBe(expected);
    // Not so without it, where that can be seen in the same way.
    const plain = await sh(`${conf('plain', '')} exec ${contained} $S sh -c '${command}'`);
    const same = line.startsWith('memory') || line.startsWith('mount slave');
    expect(plain.stdout.trimEnd() === shown).toBe(same);
  });

  it('memory fs type = ramfs is what the session is', async () => {
    const look = `sh -c "grep ' /tmp ' /proc/self/mountinfo"`;
    expect(await output(`${conf('ramfs', 'memory fs type = ramfs')} exec -c $S ${look}`)).toMatch(
      / - ramfs /,
    );
    expect(await output(`sing exec -c $S ${look}`)).toMatch(/ - tmpfs /);
  });

  it('enable overlay = no keeps mount points, and refuses layers in memory', async () => {
    expect(
      await output(`${conf('no-overlay', 'enable overlay = no')} exec -B /tmp:/new/deep $S ls -d /new/deep`),
    ).toBe('/new/deep');
    await expect(
      refused(
        `${conf('no-overlay', 'enable overlay = no')} exec --writable-tmpfs $S true`,
        /enable overlay = no/,
      ),
    ).resolves.toBeUndefined();
  });

  it.each([
    ['sif', '$I', /running SIF containers/],
    ['dir', '$S', /running sandbox containers/],
    ['squashfs', '$F/image.sqfs', /running squashfs containers/],
  ])('T176: allow container %s = no', async (kind, image, sentence) => {
    await expect(
      refused(`${conf(`no-${kind}`, `allow container ${kind} = no`)} exec ${image} true`, sentence),
    ).resolves.toBeUndefined();
    expect(await output(`sing exec ${image} true`)).toBe('');
  });

  it.skipIf(!isRoot)('T177, T178: limits do not bind root, and no loop devices are no obstacle', async () => {
    expect(
      await output(
        `${conf('limited', 'limit container owners = nobody\nlimit container paths = /nowhere')} exec $I true`,
        { as: 'root' },
      ),
    ).toBe('');
    expect(await output(`${conf('no-loop', 'max loop devices = 0')} exec $I true`, { as: 'root' })).toBe('');
  });

  it('T172, T173, T174, T175: limits speak of a setuid program, which this installation has not', async () => {
    // A user who may make user namespaces can start the image with any other program: refusing here would protect nothing.
    expect(
      await output(
        `${conf('limits', 'limit container owners = nobody\nlimit container groups = nogroup\nlimit container paths = /nowhere')} exec $I true`,
      ),
    ).toBe('');
  });

  it('T179: --fusemount is refused, whatever enable fusemount says', async () => {
    for (const value of ['yes', 'no'])
      await expect(
        refused(
          `${conf(`fuse-${value}`, `enable fusemount = ${value}`)} exec --fusemount 'container:x /mnt' $S true`,
          /--fusemount is not offered/,
        ),
      ).resolves.toBeUndefined();
  });

  it('user search path says where newuidmap is', async () => {
    if (!existsSync('/usr/bin/newuidmap') || rows.scene.user.subordinate === null) return;
    const id = `exec -f $S sh -c 'grep -c . /proc/self/uid_map'`;
    expect(await output(`${conf('search', 'user search path = /nowhere:/usr/bin')} ${id}`)).toBe('2');
    expect(await output(`${conf('search-path', 'user search path = $PATH')} ${id}`)).toBe('2');
    await expect(
      refused(
        `${conf('search-none', 'user search path = /nowhere')} ${id}`,
        /newuidmap and newgidmap are needed/,
      ),
    ).resolves.toBeUndefined();
  });

  it('image server idle = 0 leaves no server behind', async () => {
    expect(await output(`${conf('idle', 'image server idle = 0')} exec $I true`)).toBe('');
    await expect(
      refused(
        `${conf('idle-wrong', 'image server idle = soon')} exec $I true`,
        /expected a number for "image server idle"/,
      ),
    ).resolves.toBeUndefined();
  });
});

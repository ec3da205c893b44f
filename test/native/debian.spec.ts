import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { skipContainers } from '../support/containers.js';
import { debianTree, lackingDebian } from '../support/debian.js';
import { skipped } from '../support/needs.js';
import { type Scene, type ShellOptions, useScene } from '../support/rows.js';
import { isRoot, tester } from '../support/tester.js';

const missing = await lackingDebian();
const noSubordinate = tester().subordinate === null;

/** Who starts containers: root's tests do it as both. */
const CALLERS = isRoot ? (['user', 'root'] as const) : (['user'] as const);

/** The same root file system in every form. */
const FORMS = [
  ['directory', '$F/debian'],
  ['squashfs', '$F/debian.sqfs'],
  ['SIF by sing build', '$W/debian.sif'],
] as const;

const EACH = FORMS.flatMap(([form, image]) => CALLERS.map((as) => ({ form, image, as })));

/** What others add to a root file system: a package, an account, and a daemon that answers. */
const DEFINITION = `bootstrap: localimage
from: debian.sif
%files
  sample.deb /root/sample.deb
%post
  dpkg -i /root/sample.deb
  useradd --system --create-home --home-dir /var/lib/service service
%environment
  export GREETING="hello from %environment"
%runscript
#!/bin/bash
  echo "$GREETING:" "\${@@Q}"
%startscript
#!/bin/bash
  mkfifo /tmp/question /tmp/answer
  while read -r line < /tmp/question; do echo "$* $line" > /tmp/answer; done
%test
  perl -e 'exit(-x "/usr/bin/sample" ? 0 : 1)' && echo tested
`;

/** A word of a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/** Command that gives a tree a program that says as whom a setuid program runs. */
const setuidId = (tree: string): string =>
  `install -m 4755 ${tree}/usr/bin/id ${tree}/usr/local/bin/setuid-id`;

/** A package whose maintainer scripts give files to others, as many do. */
function makePackage(folder: string): void {
  const files: Readonly<Record<string, readonly [number, string]>> = {
    'DEBIAN/control': [
      0o644,
      'Package: sample\nVersion: 1.0\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: a sample\n',
    ],
    'DEBIAN/conffiles': [0o644, '/etc/sample.conf\n'],
    'DEBIAN/postinst': [
      0o755,
      '#!/bin/sh\nset -e\ninstall -d -o daemon -g mail /var/lib/sample\ntouch /var/lib/sample/last\nchown 65534:65534 /var/lib/sample/last\n',
    ],
    'DEBIAN/postrm': [0o755, '#!/bin/sh\nset -e\n[ "$1" != purge ] || rm -rf /var/lib/sample\n'],
    'etc/sample.conf': [0o644, 'setting\n'],
    'usr/bin/sample': [0o755, '#!/bin/sh\ncat /etc/sample.conf\n'],
  };
  for (const [name, [mode, content]] of Object.entries(files)) {
    const path = join(folder, 'package', name);
    mkdirSync(join(path, '..'), { recursive: true, mode: 0o755 });
    writeFileSync(path, content);
    chmodSync(path, mode);
  }
  execFileSync(
    'dpkg-deb',
    ['--root-owner-group', '-b', join(folder, 'package'), join(folder, 'sample.deb')],
    {
      stdio: 'ignore',
    },
  );
  chmodSync(join(folder, 'sample.deb'), 0o644);
}

/** The root file system in every form, and a package. */
async function prepare(scene: Scene): Promise<void> {
  const { folder } = scene;
  copyFileSync(await debianTree(), join(folder, 'debian.tar'));
  chmodSync(join(folder, 'debian.tar'), 0o644);
  mkdirSync(join(folder, 'debian'), { mode: 0o755 });
  execFileSync('tar', ['--numeric-owner', '-xpf', join(folder, 'debian.tar'), '-C', join(folder, 'debian')]);
  execFileSync('sh', ['-c', setuidId('.')], { cwd: join(folder, 'debian') });
  // The archive is without /dev.
  mkdirSync(join(folder, 'debian/dev'), { mode: 0o755 });
  execFileSync(
    'mksquashfs',
    [
      join(folder, 'debian'),
      join(folder, 'debian.sqfs'),
      '-noappend',
      '-quiet',
      '-no-progress',
      '-comp',
      'lz4',
    ],
    { stdio: 'ignore' },
  );
  makePackage(folder);
  mkdirSync(join(folder, 'bound'));
  writeFileSync(join(folder, 'bound/x'), 'data\n');
  writeFileSync(join(folder, 'program'), '#!/bin/sh\necho program\n');
  chmodSync(join(folder, 'program'), 0o755);
}

describe.skipIf(skipContainers() || missing !== undefined)(
  `a Debian by mmdebstrap${skipped(missing)}`,
  () => {
    const rows = useScene(prepare);
    const { output, sh } = rows;

    beforeAll(async () => {
      // A build reads no file that is root's alone: one's own tree has them, with the owners inside.
      if (!noSubordinate) await unpack('own');
      await output(`cd $W && sing -q build debian.sif ${noSubordinate ? '$F/debian.sqfs' : 'own'}`);
    });
    // What belongs to sub-ids can be removed by root alone, here the one inside.
    afterAll(() => sh('sing exec --fakeroot -B $W:/w $S sh -c "rm -rf /w/*"'));

    const unpack = (name: string): Promise<string> =>
      output(
        `mkdir $W/${name} && sing exec --fakeroot $F/debian tar --numeric-owner -xpf $F/debian.tar -C $W/${name} && mkdir $W/${name}/dev && ${setuidId(`$W/${name}`)}`,
      );
    const exec = (flags: string, image: string, script: string): string =>
      `sing exec ${flags} ${image} bash -c ${quoted(script)}`;
    /** The line of the caller in the machine's list of accounts. */
    const account = (as: 'user' | 'root'): string[] =>
      execFileSync('getent', ['passwd', as === 'root' ? 'root' : rows.scene.user.name], { encoding: 'utf8' })
        .trimEnd()
        .split(':');
    const installed = (): number =>
      readFileSync(join(rows.scene.folder, 'debian/var/lib/dpkg/status'), 'utf8').match(
        /^Status: install ok/gm,
      )?.length ?? 0;
    /** Runs a command at a terminal of its own; what the terminal shows. */
    const atTerminal = async (command: string, options: ShellOptions = {}): Promise<string> => {
      const { status, stdout } = await sh(`script -qec ${quoted(command)} /dev/null`, options);
      expect({ command, status, stdout }).toMatchObject({ status: 0 });
      // What a terminal says at the end of its input.
      return stdout.replaceAll(/\^D\x08\x08|\^@|\r/g, '').trimEnd();
    };

    describe.each(EACH)('$form, started by $as', ({ image, as }) => {
      it('has bash, perl, dpkg with all packages whole, and apt', async () => {
        const script = [
          'shopt -q login_shell && echo "login $BASH"',
          `perl -e 'print join(" ", "perl", (getpwuid $<)[0], uc "ok"), "\\n"'`,
          'dpkg -l | grep -c "^ii"',
          'dpkg -V bash dpkg perl-base coreutils libc6 | grep -v /usr/share; dpkg --audit',
          'apt-cache policy bash | sed -n 1p',
          'readlink /bin /sbin /lib',
        ].join('\n');
        expect(await output(`sing exec ${image} bash -lc ${quoted(script)}`, { as })).toBe(
          [
            'login /bin/bash',
            `perl ${account(as)[0]} OK`,
            installed(),
            'bash:',
            'usr/bin',
            'usr/sbin',
            'usr/lib',
          ]
            .join('\n')
            .replace('/bin/bash', '/usr/bin/bash'),
        );
      });

      it('has who starts it as who they are, in the shell of the image, and the name servers and hosts of the machine', async () => {
        const [name, , uid, gid, gecos, home, shell] = account(as);
        const who = await output(
          exec(
            '',
            image,
            'id -u; id -un; id -g; getent passwd $(id -u); echo ~; pwd; cat /etc/resolv.conf /etc/hosts',
          ),
          { as, cwd: home ?? '/' },
        );
        const line = [name, 'x', uid, gid, gecos, home, as === 'root' ? '/bin/bash' : shell].join(':');
        const files = ['/etc/resolv.conf', '/etc/hosts'].map((file) => readFileSync(file, 'utf8')).join('');
        expect(who).toBe([uid, name, gid, line, home, home, files].join('\n').trimEnd());
      });

      it('has the language of the caller', async () => {
        const script = 'locale charmap; printf "\\303\\244" | wc -m';
        expect(await output(exec('', image, script), { as, env: { LANG: 'C.UTF-8' } })).toBe('UTF-8\n1');
        expect(await output(exec('-e', image, script), { as, env: { LANG: 'C.UTF-8' } })).toBe(
          'ANSI_X3.4-1968\n2',
        );
      });

      it('has what is bound through the links of its root where they lead', async () => {
        const script = 'cat /usr/lib/bound/x /lib/bound/x; /bin/bound; /usr/sbin/new; readlink /lib';
        const binds = '-B $F/bound:/lib/bound -B $F/program:/bin/bound,$F/program:/sbin/new';
        // An underlay warns of what it costs here.
        for (const layer of ['', '--writable-tmpfs', '--underlay']) {
          const command = exec(`${layer} ${binds}`, image, script);
          const quiet = layer === '--underlay' ? command.replace('sing', 'sing -s') : command;
          expect(await output(quiet, { as })).toBe('data\ndata\nprogram\nprogram\nusr/lib');
        }
      });

      it('has a terminal, also a terminal inside', async () => {
        const outside = await atTerminal(`tty; ${exec('', image, 'tty')}`, { as });
        const [host, inside] = outside.split('\n');
        expect([host, inside]).toEqual([expect.stringMatching(/^\/dev\/pts\/\d+$/), host]);
        expect(
          await atTerminal(exec('-C', image, 'tty; stty size <&1 >/dev/null && script -qec tty /dev/null'), {
            as,
          }),
        ).toBe('/dev/console\n/dev/pts/0');
        expect(await output(`${exec('-C', image, 'tty || echo none')} < /dev/null`, { as })).toBe(
          'not a tty\nnone',
        );
      });

      it('contained, has nothing of the machine', async () => {
        const script = `perl -e 'print "$_ " for sort keys %ENV; print "\\n"; print scalar(glob("~/*")) // "nothing", "\\n"; print -e "/tmp/." ? "tmp" : "", join("", glob("/tmp/*")), "\\n"; print $$ < 20 ? "alone" : "$$", "\\n"; print join(" ", glob("/dev/*")), "\\n"'`;
        const said = await output(exec('-C', image, script), { as, env: { SECRET: 'x' } });
        const [names, home, temporary, alone, devices] = said.split('\n');
        expect(names).not.toContain('SECRET');
        expect([home, temporary, alone]).toEqual(['nothing', 'tmp', 'alone']);
        expect(devices).not.toMatch(/vda|loop|fuse/);
      });
    });

    describe.each(FORMS)('%s', (_, image) => {
      it('gives a user nothing by its setuid programs', async () => {
        const refused = await output(
          exec(
            '',
            image,
            [
              'stat -c "%A %n" /usr/bin/su /usr/bin/passwd',
              'for each in "su -c id" "passwd -d root" "chsh -s /bin/sh root" "mount -t tmpfs none /mnt" "newgrp shadow -c id"; do',
              'if $each </dev/null >/dev/null 2>&1; then echo "$each works"; fi; done',
              // Who runs the tests owns the tree, when that is not root.
              isRoot ? 'cat /etc/shadow 2>&1 | tail -c 18' : 'echo Permission denied',
              'stat -c %a /usr/local/bin/setuid-id; setuid-id -u',
              'grep -c " / / .*nosuid" /proc/self/mountinfo; grep NoNewPrivs /proc/self/status',
            ].join('\n'),
          ),
        );
        expect(refused).toBe(
          `-rwsr-xr-x /usr/bin/su\n-rwsr-xr-x /usr/bin/passwd\nPermission denied\n4755\n${rows.scene.user.uid}\n1\nNoNewPrivs:\t1`,
        );
      });
    });

    it('is a shell for a person at a terminal', async () => {
      for (const [, image] of FORMS) {
        const shown = await atTerminal(`sing shell ${image}`, {
          input: 'echo "result $((40 + 2)) $0"\nexit 0\n',
        });
        expect(shown).toContain('Singularity> ');
        expect(shown).toContain('\nresult 42 /bin/bash\n');
      }
    });

    describe.skipIf(noSubordinate)('with --fakeroot', () => {
      const inside = (flags: string, image: string, script: string): Promise<string> =>
        output(exec(`--fakeroot ${flags}`, image, script));
      const INSTALL = 'dpkg -i $F/sample.deb >/dev/null && sample';
      const OWNERS = 'stat -c "%U:%G %a" /var/lib/sample /var/lib/sample/last /etc/sample.conf';
      const OWNED = 'daemon:mail 755\nnobody:nogroup 644\nroot:root 644';

      it('files of a tree that it unpacks belong to sub-ids outside', async () => {
        const { uid, gid, subordinate } = rows.scene.user;
        const ids = (path: string): number[] => {
          const status = statSync(join(rows.scene.work, 'own', path));
          return [status.uid, status.gid];
        };
        expect(ids('etc/passwd')).toEqual([uid, gid]);
        expect(ids('etc/shadow')).toEqual([uid, (subordinate?.gid ?? 0) + 41]);
        expect(await inside('', '$W/own', 'stat -c "%U:%G %a" /etc/shadow /etc/passwd')).toBe(
          'root:shadow 640\nroot:root 644',
        );
      });

      it('--writable: apt installs, dpkg removes, useradd makes a user, who exists outside by number alone', async () => {
        const installed = await inside(
          '-w',
          '$W/own',
          `apt-get install -qq -y $F/sample.deb >/dev/null 2>&1 && sample && useradd -m -u 1234 someone && ${OWNERS}`,
        );
        expect(installed).toBe(`setting\n${OWNED}`);
        const { work, user } = rows.scene;
        const home = statSync(join(work, 'own/home/someone'));
        expect([home.uid, home.gid]).toEqual([
          (user.subordinate?.uid ?? 0) + 1233,
          (user.subordinate?.gid ?? 0) + 1233,
        ]);
        const again = await inside(
          '-w',
          '$W/own',
          `id someone; su -s /bin/sh someone -c "id -un; touch ~/mine; stat -c %U ~/mine"; dpkg -P sample >/dev/null; ls -d /var/lib/sample /etc/sample.conf 2>&1 | grep -c "No such"; dpkg --audit; userdel -r someone 2>/dev/null; getent passwd someone || echo gone`,
        );
        expect(again).toBe(
          'uid=1234(someone) gid=1234(someone) groups=1234(someone)\nsomeone\nsomeone\n2\ngone',
        );
        expect(existsSync(join(work, 'own/home/someone'))).toBe(false);
      });

      it.each(FORMS.slice(1))(
        '%s: what --writable-tmpfs installs is gone behind it, an overlay keeps it',
        async (form, image) => {
          expect(await inside('--writable-tmpfs', image, `${INSTALL} && ${OWNERS}`)).toBe(
            `setting\n${OWNED}`,
          );
          const name = `layer-${form.length}`;
          await output(`mkdir $W/${name}`);
          expect(
            await inside(
              `-o $W/${name}`,
              image,
              `[ ! -e /usr/bin/sample ] && ${INSTALL}; chown 7:8 /etc/sample.conf`,
            ),
          ).toBe('setting');
          expect(
            await inside(
              `-o $W/${name}`,
              image,
              `sample; stat -c "%u:%g" /etc/sample.conf; dpkg -s sample | grep ^Status; dpkg -i $F/sample.deb >/dev/null; dpkg --audit; dpkg -P sample >/dev/null; [ ! -e /usr/bin/sample ]`,
            ),
          ).toBe('setting\n7:8\nStatus: install ok installed');
        },
      );

      it.skipIf(!isRoot)(
        'of root: the owners of the image by its own ids, and files of root outside as nobody’s',
        async () => {
          const prepare = `printf 'root:400000:65536\\n' >$F/subids; mount --bind $F/subids /etc/subuid; mount --bind $F/subids /etc/subgid`;
          const script =
            'id -u; stat -c "%U:%G" /etc/passwd /etc/shadow; touch /mnt/x && chown daemon:mail /mnt/x && stat -c "%U:%G" /mnt/x';
          mkdirSync(join(rows.scene.folder, 'of-root'));
          const said = await output(
            `sing exec --fakeroot -B $F/of-root:/mnt $F/debian.sqfs bash -c ${quoted(script)}`,
            { as: 'root', prepare },
          );
          expect(said).toBe('0\nroot:root\nroot:shadow\ndaemon:mail');
          const { uid, gid } = statSync(join(rows.scene.folder, 'of-root/x'));
          expect([uid, gid]).toEqual([400_000, 400_007]);
        },
      );
    });

    describe('built from a definition', () => {
      beforeAll(async () => {
        writeFileSync(join(rows.scene.folder, 'service.def'), DEFINITION);
        await output(
          'cd $W && cp $F/service.def $F/sample.deb . && sing -q build service.sif service.def >/dev/null',
        );
      });

      it('has what %post installed, with its environment, runscript and test', async () => {
        expect(await output('sing run $W/service.sif one "two three"')).toBe(
          "hello from %environment: 'one' 'two three'",
        );
        expect(await output('sing test $W/service.sif')).toBe('tested');
        expect(
          await output(
            exec(
              '',
              '$W/service.sif',
              'echo $GREETING; sample; getent passwd service | cut -d: -f6,7; dpkg -s sample | grep Version',
            ),
          ),
        ).toBe('hello from %environment\nsetting\n/var/lib/service:/bin/sh\nVersion: 1.0');
      });

      it('is a service, which who joins it asks', async () => {
        const name = `debian-${process.pid}`;
        const ask =
          'until [ -p /tmp/answer ]; do sleep 0.05; done; echo "what $0" > /tmp/question; cat /tmp/answer; id -un';
        await output(`sing -q instance start --contain $W/service.sif ${name} heard`);
        try {
          expect(await output(exec('', `instance://${name}`, ask))).toBe(
            `heard what bash\n${account('user')[0]}`,
          );
          expect(await output(`sing instance list ${name}`)).toContain('service.sif');
        } finally {
          await output(`sing -q instance stop ${name}`);
        }
        expect(await output(`sing instance list ${name}`)).not.toContain('service.sif');
      });
    });
  },
);

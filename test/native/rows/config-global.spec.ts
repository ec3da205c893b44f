import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { skipContainers, type Ended } from '../../support/containers.js';
import { type ShellOptions, useScene } from '../../support/rows.js';
import { isRoot } from '../../support/tester.js';

/** The program beside its Node part, which a copy of the program alone has not. */
const SING = resolve(import.meta.dirname, '../../../addon/build/sing');
const noUsermod = !existsSync('/usr/sbin/usermod');
const lacking = !existsSync(resolve(import.meta.dirname, '../../../dist/cli/sing.cjs'));
/** Root’s checkout may be closed to users: then what users are refused is shown by the tests of apps/sing. */
const open = !isRoot || spawnSync('test', ['-x', SING], { uid: 65534, gid: 65534 }).status === 0;

/** A copy of /etc in a mount namespace: the machine’s own is not touched. */
const prepare =
  'mkdir -p $F/over && mount -t tmpfs none $F/over && mkdir $F/over/u $F/over/w && mount -t overlay none -o lowerdir=/etc,upperdir=$F/over/u,workdir=$F/over/w /etc';

// Rows of the configuration that change files: §5.5 T159, §5.6 T169 to T171.
describe.skipIf(skipContainers() || lacking)('rows of sing config', () => {
  const rows = useScene();
  const sh = (command: string, options?: ShellOptions): Promise<Ended> =>
    rows.scene.sh(command.replaceAll('sing ', `${SING} `), options);

  it('T169: --set puts values in front, --get shows them, --unset and --reset take them back; the next start obeys', async () => {
    const as = isRoot ? 'root' : 'user';
    const file = join(rows.scene.work, 'global.conf');
    const config = `sing -c ${file} config global`;
    const ended = await sh(
      `${config} --set 'bind path' ${rows.scene.work} && ${config} --get 'bind path' && ${config} --unset 'bind path' ${rows.scene.work} && ${config} --get 'bind path' && ${config} --set 'mount home' no && ${config} --set 'bind path' /a && ${config} --reset 'bind path' && ${config} --get 'bind path'`,
      { as },
    );
    expect(ended).toMatchObject({
      status: 0,
      stdout: `${rows.scene.work},/etc/localtime,/etc/hosts\n/etc/localtime,/etc/hosts\n/etc/localtime,/etc/hosts\n`,
    });
    expect(statSync(file).mode & 0o777).toBe(0o644);
    expect((await sh(`sing -c ${file} exec $S ls -d $HOME`, { as })).status).not.toBe(0);
  });

  it('T170, T171: unknown names are refused, --dry-run changes nothing', async () => {
    const as = isRoot ? 'root' : 'user';
    const file = rows.scene.configuration('kept', 'mount home = yes');
    const before = readFileSync(file, 'utf8');
    expect(await sh(`sing -c ${file} config global --set bogus 1`, { as })).toMatchObject({
      status: 255,
      stdout: '',
    });
    const dry = await sh(`sing -c ${file} config global --dry-run --set 'mount home' no`, { as });
    expect(dry).toMatchObject({ status: 0, stdout: before.replace('mount home = yes', 'mount home = no') });
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  it.skipIf(!open)(
    'a user may not change the rules of an installation of root, nor who uses --fakeroot',
    async () => {
      expect(await sh(`sing config fakeroot --add ${rows.scene.user.name}`)).toMatchObject({
        status: 255,
        stderr: expect.stringContaining('Only root may change who can use --fakeroot') as string,
      });
      if (statSync(resolve(SING, '../../..')).uid === rows.scene.user.uid) return;
      expect(await sh(`sing config global --set 'mount home' no`)).toMatchObject({
        status: 255,
        stderr: expect.stringContaining('Only root or the owner of the installation') as string,
      });
    },
  );

  it.skipIf(!isRoot)(
    'T159: config fakeroot adds, disables, enables and removes, and starts obey',
    async () => {
      const { name } = rows.scene.user;
      const show = `grep -h '${name}' /etc/subuid /etc/subgid`;
      const asUser = `setpriv --reuid ${rows.scene.user.uid} --regid ${rows.scene.user.gid} --clear-groups sh -c '${SING} exec -f $S cat /proc/self/uid_map'`;
      const config = (flag: string, user = name): string => `${SING} config fakeroot ${flag} ${user}`;
      const script = [
        'printf "other:4294836224:65536\\n" >/etc/subuid; cp /etc/subuid /etc/subgid',
        `${config('--add')}; echo $?; ${show}`,
        `${config('-a')}; echo $?; ${show}`,
        `(${asUser}) | sort | tail -1`,
        `${config('--disable')}; echo $?; ${show}; ${asUser}; echo $?`,
        `${config('--enable')}; echo $?; ${show}`,
        `${config('--remove')}; echo $?; cat /etc/subuid /etc/subgid; ls /etc/subuid.lock; stat -c %a /etc/subuid`,
        `${config('--remove')}; echo $?; ${config('--add', 'nobody-of-this-name')}; echo $?`,
      ].join('\n');
      const ended = await rows.scene.sh(script, { as: 'root', prepare });
      const line = `${name}:4294770688:65536`;
      const both = `${line}\n${line}\n`;
      expect(ended.stdout.replaceAll(/^ +/gm, '').replaceAll(/ +/g, ' ')).toBe(
        `0\n${both}0\n${both}1 4294770688 65536\n0\n!${line}\n!${line}\n255\n0\n${both}0\nother:4294836224:65536\nother:4294836224:65536\n644\n255\n255\n`,
      );
      expect(ended.stderr).toContain('your fakeroot mapping has been disabled by the administrator');
      expect(ended.stderr).toContain(`no mapping entry found in /etc/subuid for ${name}`);
      expect(ended.stderr).toContain('There is no user nobody-of-this-name');
    },
  );

  it.skipIf(!isRoot || noUsermod)(
    'config fakeroot and usermod each take over the lock of the other that was killed, and files that are links stay links',
    async () => {
      const { name } = rows.scene.user;
      const change = `${SING} config fakeroot`;
      const script = [
        ': >/etc/subuid; : >/etc/subgid',
        // It has the first lock, and waits for the second.
        'sleep 100 & other=$!; echo $other >/etc/subgid.lock',
        `${change} --add ${name} & killed=$!`,
        'until [ -L /etc/subuid.lock ] || [ -s /etc/subuid.lock ]; do sleep 0.05; done; kill -9 $killed $other; wait; rm /etc/subgid.lock',
        `usermod --add-subuids 1000000-1065535 ${name}; echo $?; cat /etc/subuid`,
        'sh -c "echo \\$\\$" >/etc/subuid.lock; mv /etc/subuid /etc/ids; ln -s ids /etc/subuid',
        `${change} --remove ${name}; echo $?; cat /etc/ids; readlink /etc/subuid; ls /etc/*.lock`,
      ].join('\n');
      const ended = await rows.scene.sh(script, { as: 'root', prepare });
      expect(ended.stdout).toBe(`0\n${name}:1000000:65536\n0\nids\n`);
    },
  );
});

import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { skipContainers, type Ended } from '../../support/containers.js';
import { useScene } from '../../support/rows.js';
import { isRoot, tester } from '../../support/tester.js';

/** Words that cover /etc/subuid and /etc/subgid in the mount namespace of one command. */
function covered(uid: string, gid = uid): string {
  return `printf '${uid}' >$F/subuid; printf '${gid}' >$F/subgid; mount --bind $F/subuid /etc/subuid; mount --bind $F/subgid /etc/subgid`;
}

const noSubordinate = tester().subordinate === null;

// Runtime contract §5.5: fakeroot.
describe.skipIf(skipContainers())('rows of fakeroot', () => {
  const rows = useScene();
  const { sh, output, refused } = rows;

  it.skipIf(noSubordinate)('T149: root inside, all capabilities there, no_new_privs', async () => {
    expect(await output('sing exec --fakeroot $S id -u')).toBe('0');
    const status = await output(
      `sing exec --fakeroot $S grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status`,
    );
    const [effective, bounding, noNewPrivileges] = status.split('\n').map((line) => line.split('\t')[1]);
    expect(Number.parseInt(effective ?? '', 16)).toBeGreaterThan(2 ** 38);
    expect(bounding).toBe(effective);
    expect(noNewPrivileges).toBe('1');
  });

  it.skipIf(noSubordinate)('T150: whose files are on the host', async () => {
    await output(
      `cd $W && sing exec --fakeroot -B $W:/w $S sh -c 'cd /w && touch zero one two && chown 1:1 one && chown 2:2 two'`,
    );
    const { uid, gid, subordinate } = rows.scene.user;
    const owners = ['zero', 'one', 'two'].map((name) => {
      const status = statSync(join(rows.scene.work, name));
      return [status.uid, status.gid];
    });
    const first = subordinate ?? { uid: 0, gid: 0 };
    expect(owners).toEqual([
      [uid, gid],
      [first.uid, first.gid],
      [first.uid + 1, first.gid + 1],
    ]);
  });

  it.skipIf(noSubordinate)('T151: ids up to 65536', async () => {
    await output(`cd $W && touch last && sing exec --fakeroot -B $W:/w $S chown 65536:65536 /w/last`);
    const ended = await sh('cd $W && touch more && sing exec --fakeroot -B $W:/w $S chown 65537 /w/more');
    expect(ended.status).toBe(1);
    expect(ended.stderr).toMatch(/Invalid argument/);
  });

  describe.skipIf(!isRoot)('with other entries', () => {
    const { name, uid } = tester();
    const id = 'sing exec --fakeroot $S cat /proc/self/uid_map';

    it.each([
      ['T152', `${name}:200000:1000\\n`, /range count lower than 65536/],
      ['T154', `!${name}:200000:65536\\n`, /your fakeroot mapping has been disabled by the administrator/],
    ])('%s: an entry %s is refused', async (_, line, sentence) => {
      await expect(refused(id, sentence, { prepare: covered(line) })).resolves.toBeUndefined();
    });

    it('T153: of two entries the one with exactly 65536 ids', async () => {
      const prepare = covered(`${name}:400000:131072\\n${name}:200000:65536\\n`);
      expect(await output(id, { prepare })).toMatch(/1 +200000 +65536/);
    });

    it('T155: no entry at all: root alone exists inside, with a remedy; where root asks it is refused', async () => {
      const ended = await sh('sing exec --fakeroot $S id -u', { prepare: covered('') });
      expect(ended).toMatchObject({ status: 0, stdout: '0\n' });
      expect(ended.stderr).toMatch(
        new RegExp(
          `^WARNING: no mapping entry found in /etc/subuid for ${name}.*sing config fakeroot --add ${name}`,
        ),
      );
      await expect(
        refused('sing exec --fakeroot $S id -u', /no mapping entry found in \/etc\/subuid for root/, {
          as: 'root',
          prepare: covered(''),
        }),
      ).resolves.toBeUndefined();
    });

    it('T156: an entry in one file only', () =>
      expect(
        refused(id, /no mapping entry found in \/etc\/subgid/, {
          prepare: covered(`${name}:200000:65536\\n`, ''),
        }),
      ).resolves.toBeUndefined());

    it('T157: lines that are none are skipped', async () => {
      const lines = `a:b\\n${name}:x:65536\\n${name}:1:0\\n\\n# comment\\n${name}:200000:65536\\n`;
      expect(await output(id, { prepare: covered(lines) })).toMatch(/1 +200000 +65536/);
    });

    it('T158: an entry by number', async () => {
      // newuidmap looks for the number, too.
      expect(await output(id, { prepare: covered(`${uid}:200000:65536\\n`) })).toMatch(/1 +200000 +65536/);
    });

    it('T160: without newuidmap', () =>
      expect(
        refused(id, /newuidmap.*\n.*install the package uidmap/, {
          prepare: 'mount --bind /dev/null /usr/bin/newuidmap',
        }),
      ).resolves.toBeUndefined());

    it('T161: a newuidmap of the user on the PATH is not used', async () => {
      await sh(
        `mkdir -p $W/bin && printf '#!/bin/sh\\ntouch $W/used\\n' >$W/bin/newuidmap && chmod 755 $W/bin/newuidmap`,
      );
      expect(await output('PATH=$W/bin:$PATH sing exec --fakeroot $S id -u')).toBe('0');
      expect(await output('ls $W')).not.toContain('used');
    });

    it('T163, S28: nothing of the host’s root is open to the root inside', async () => {
      mkdirSync(join(rows.scene.folder, 'roots'), { mode: 0o755 });
      writeFileSync(join(rows.scene.folder, 'roots/file'), 'x', { mode: 0o644 });
      writeFileSync(join(rows.scene.folder, 'roots/secret'), 'x', { mode: 0o600 });
      const inside = (command: string): Promise<Ended> =>
        sh(`sing exec --fakeroot --writable-tmpfs -B $F/roots:/roots $S sh -c '${command}'`);
      for (const command of [
        'echo y >/roots/file',
        'cat /roots/secret',
        'touch /roots/new',
        'chown 0 /roots/file',
        'chmod 666 /roots/file',
        'mknod /x b 7 0 && cat /x',
        'mount -t ext4 /dev/loop0 /mnt',
      ])
        expect({ command, status: (await inside(command)).status }).not.toMatchObject({ status: 0 });
    });

    it('T164: user.max_user_namespaces = 0', async () => {
      // The limit of a user namespace counts below it, so that the machine’s own is left alone.
      const script = 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$0" exec "$1" true';
      const ended = await sh(`unshare --user --map-root-user sh -c '${script}' sing $S`);
      expect(ended).toMatchObject({ status: 255, stdout: '' });
      expect(ended.stderr).toMatch(/user\.max_user_namespaces/);
    });
  });

  it.skipIf(noSubordinate)('T162: --fakeroot --net has loopback only, with a warning', async () => {
    const ended = await sh('sing exec --fakeroot --net $S cat /proc/net/dev');
    expect(ended.status).toBe(0);
    expect(ended.stderr).toMatch(/^WARNING.*network/m);
    expect(
      ended.stdout
        .split('\n')
        .slice(2, -1)
        .map((line) => line.trim().split(':')[0]),
    ).toEqual(['lo']);
  });
});

import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { skipContainers } from '../../support/containers.js';
import { type ShellOptions, useScene } from '../../support/rows.js';
import { isRoot, tester } from '../../support/tester.js';

/** Gives one command a /dev with the devices that every machine has, and these besides. */
const devices = (...more: readonly string[]): string =>
  [
    'mkdir $F/dev && mount -t tmpfs none $F/dev && mkdir $F/dev/pts $F/dev/shm $F/dev/net',
    `for n in null zero full random urandom tty ${more.join(' ')}; do touch $F/dev/$n && mount --bind /dev/$n $F/dev/$n; done`,
    'ln -s /proc/self/fd $F/dev/fd && mount --rbind $F/dev /dev',
  ].join('\n');

const hasFuse = existsSync('/dev/fuse');

// Machines that lack something: what works without it works, and what does not says what is missing and who can change it.
describe.skipIf(skipContainers() || !isRoot)('machines that lack something', () => {
  const { sh, conf } = useScene();
  const prepared = (...more: readonly string[]): ShellOptions => ({
    prepare: devices(...more).replaceAll('$F/dev', () => '$F/dev-$$'),
  });

  it('without /dev/fuse an image is unpacked, and the sentence says why', async () => {
    const ended = await sh('sing exec --disable-cache $I true', prepared());
    expect(ended).toMatchObject({ status: 0, stdout: '' });
    expect(ended.stderr).toMatch(
      /^INFO: {4}Unpacking the image for this run, because \/dev\/fuse is not open to this user.*modprobe fuse.*chmod 666 \/dev\/fuse\n$/s,
    );
  });

  it('without /dev/fuse and without unpacking it is refused with a remedy', async () => {
    const ended = await sh(`${conf('no-unpacking', 'tmp sandbox = no')} exec $I true`, prepared());
    expect(ended).toMatchObject({ status: 255, stdout: '' });
    expect(ended.stderr).toMatch(/^FATAL: {3}the image can neither be mounted.*\n.*chmod 666 \/dev\/fuse/);
  });

  it('without /dev/fuse a directory runs without a word, and so does an image of root', async () => {
    expect(await sh('sing exec $S true', prepared())).toMatchObject({ status: 0, stderr: '' });
    expect(await sh('sing exec $I true', { ...prepared(), as: 'root' })).toMatchObject({
      status: 0,
      stderr: '',
    });
  });

  it.skipIf(!hasFuse)(
    'without /dev/net/tun everything but networks works, and these are refused with what is there',
    async () => {
      const without = prepared('fuse');
      expect(await sh('ls /dev/net/tun', without)).toMatchObject({ status: 2 });
      expect(await sh('sing exec -n --network none $I true', without)).toMatchObject({
        status: 0,
        stderr: '',
      });
      const refused = await sh('sing exec -n $I true', without);
      expect([refused.status, refused.stderr]).toEqual([255, expect.stringContaining('--network none')]);
    },
  );

  it.each(['sing exec $S true', 'sing exec $I true', 'sing exec --fakeroot $S true'])(
    'without user namespaces `%s` is refused with the setting',
    async (command) => {
      // The limit of a user namespace counts below it: the machine’s own setting is left alone.
      const ended = await sh(
        `unshare --user --map-root-user sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && ${command}'`,
      );
      expect(ended).toMatchObject({ status: 255, stdout: '' });
      expect(ended.stderr).toMatch(/user\.max_user_namespaces/);
    },
  );

  it('with an empty /etc/subuid --fakeroot has only root, and says how to get more', async () => {
    const prepare = ': >$F/empty; mount --bind $F/empty /etc/subuid; mount --bind $F/empty /etc/subgid';
    const ended = await sh('sing exec --fakeroot $S id -u', { prepare });
    expect(ended).toMatchObject({ status: 0, stdout: '0\n' });
    expect(ended.stderr).toContain(
      `only the root user exists in the container; an administrator can give more ids: `,
    );
    expect(ended.stderr).toContain(`sing config fakeroot --add ${tester().name}`);
  });
});

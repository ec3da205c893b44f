import { copyFileSync, chmodSync, rmSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { skipContainers } from '../../support/containers.js';
import { useScene } from '../../support/rows.js';
import { isRoot } from '../../support/tester.js';

const NONE = '0000000000000000';
const LOOK = `grep -E '^(Cap|NoNewPrivs)' /proc/self/status`;

/** Values of the lines of /proc/self/status, in their order: inheritable, permitted, effective, bounding, ambient, no_new_privs. */
function values(text: string): string[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t').at(-1) ?? '');
}

// Runtime contract §5.4: namespaces, privileges, security options.
describe.skipIf(skipContainers())('rows of namespaces and privileges', () => {
  const rows = useScene();
  const { sh, output, refused, conf } = rows;

  it('T113: without flags the namespaces are the caller’s', async () => {
    const look = 'readlink /proc/self/ns/pid /proc/self/ns/ipc /proc/self/ns/uts /proc/self/ns/net';
    const each = 'sh -c "for n in pid ipc uts net cgroup; do readlink /proc/self/ns/\\$n; done"';
    expect(look).toContain('ipc');
    expect(await output(`sing exec $I ${each}`)).toBe(await output(each));
  });

  it('T114, T115, T116: a PID namespace with and without shim', async () => {
    const [pid, name] = (await output(`sing exec -p $I sh -c 'echo $$; cat /proc/1/comm'`)).split('\n');
    expect(Number(pid)).toBeLessThan(10);
    expect(name).toBe('sinit');
    expect(await output(`sing exec -p --no-init $I sh -c 'echo $$'`)).toBe('1');
    expect((await sh(`sing exec -p $I sh -c 'kill -9 $$'`)).status).toBe(137);
  });

  it('T117: an orphan is reaped', async () => {
    // Its parent ends before it, so that nobody but process 1 can take it away: that is waited for.
    const script = [
      'orphan=$(sh -c "sleep 0.1 >/dev/null & echo \\$!"); tries=0',
      'while [ -e /proc/$orphan ] && [ $((tries += 1)) -lt 1000 ]; do sleep 0.02; done',
      '[ -n "$orphan" ] && [ ! -e /proc/$orphan ] && echo reaped',
    ].join('\n');
    expect(await output(`sing exec -p $I sh -c '${script}'`)).toBe('reaped');
  });

  it('T118: namespaces that the site does not allow', async () => {
    const sing = conf('no-ns', 'allow pid ns = no\nallow ipc ns = no\nallow uts ns = no');
    const ended = await sh(
      `${sing} exec -p -i --hostname x $I sh -c 'readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc; readlink /proc/self/ns/uts'`,
    );
    expect(ended.stdout).toBe(
      `${await output('for n in pid ipc uts; do readlink /proc/self/ns/$n; done')}\n`,
    );
    for (const name of ['PID', 'IPC', 'UTS'])
      expect(ended.stderr).toContain(`WARNING: Not virtualizing ${name} namespace by configuration`);
    await expect(
      refused(
        `${conf('no-user-ns', 'allow user ns = no')} exec $I true`,
        /user namespaces are disabled by configuration/,
      ),
    ).resolves.toBeUndefined();
  });

  it('T119: --userns keeps the own id', async () => {
    expect(await output('sing exec -u $I id -u')).toBe(String(rows.scene.user.uid));
    expect(
      await output(
        'sing exec -p -i --uts -n --network none -u $I sh -c "for n in pid ipc uts net user; do readlink /proc/self/ns/\\$n; done"',
      ),
    ).not.toContain(await output('readlink /proc/self/ns/net'));
  });

  it('T120, T121: --network none has loopback only, other networks are refused', async () => {
    const devices = (await output('sing exec -n --network none $I cat /proc/net/dev')).split('\n').slice(2);
    expect(devices.map((line) => line.trim().split(':')[0])).toEqual(['lo']);
    await expect(
      refused('sing exec -n $I true', /network bridge .*is not offered.*\n.*--network none/),
    ).resolves.toBeUndefined();
  });

  it('T124: a user has no capability and no_new_privs', async () => {
    expect(values(await output(`sing exec $I ${LOOK}`))).toEqual([NONE, NONE, NONE, NONE, NONE, '1']);
  });

  it.skipIf(!isRoot)('T125, T126: root has all, or none with --no-privs', async () => {
    const full = values(execFileSync('sh', ['-c', LOOK], { encoding: 'utf8' }))[3] ?? '';
    expect(values(await output(`sing exec $I ${LOOK}`, { as: 'root' }))).toEqual([
      full,
      full,
      full,
      full,
      full,
      '0',
    ]);
    expect(values(await output(`sing exec --no-privs $I ${LOOK}`, { as: 'root' }))).toEqual([
      NONE,
      NONE,
      NONE,
      NONE,
      NONE,
      '1',
    ]);
  });

  it.skipIf(!isRoot)('T128, S26: root default capabilities', async () => {
    const none = await output(`${conf('root-no', 'root default capabilities = no')} exec $I ${LOOK}`, {
      as: 'root',
    });
    expect(values(none)).toEqual([NONE, NONE, NONE, NONE, NONE, '1']);
    const kept = await output(
      `${conf('root-no', 'root default capabilities = no')} exec --keep-privs $I ${LOOK}`,
      { as: 'root' },
    );
    expect(values(kept).at(-1)).toBe('0');
    const file = rows.scene.installation('root-file', {
      'singularity.conf': 'root default capabilities = file\n',
      'capability.json': '{"users": {"root": ["CAP_CHOWN", "net_raw", "CAP_NOPE"], "other": ["CAP_KILL"]}}',
    });
    const listed = (2 ** 13 + 1).toString(16).padStart(16, '0');
    expect(values(await output(`${file} exec $S ${LOOK}`, { as: 'root' }))).toEqual([
      listed,
      listed,
      listed,
      listed,
      listed,
      '0',
    ]);
    for (const wrong of [
      '{',
      '{"users": {"root": "CAP_CHOWN"}}',
      '{"users": {}, "users": {"root": ["CAP_SYS_ADMIN"]}}',
      ' '.repeat(2 ** 21),
    ]) {
      rows.scene.installation('root-file', { 'capability.json': wrong });
      await expect(
        refused(`${file} exec $S true`, /capability\.json/, { as: 'root' }),
      ).resolves.toBeUndefined();
    }
  });

  it('T127, T129, T130, T131, T132: adding and dropping capabilities is refused with a sentence', async () => {
    for (const flag of ['--add-caps CAP_NET_RAW', '--drop-caps all', '--add-caps NOPE'])
      await expect(
        refused(`sing exec ${flag} $I true`, /^FATAL: {3}--(add|drop)-caps .*is not offered/),
      ).resolves.toBeUndefined();
    for (const as of isRoot ? (['root'] as const) : [])
      await expect(
        refused('sing exec --drop-caps CAP_SYS_ADMIN $I true', /not offered/, { as }),
      ).resolves.toBeUndefined();
  });

  it('T133: what is root’s alone is refused to a user', async () => {
    await expect(
      refused('sing exec --keep-privs $I true', /--keep-privs: requires root privileges/),
    ).resolves.toBeUndefined();
    await expect(refused('sing exec --allow-setuid $I true', /^FATAL/)).resolves.toBeUndefined();
    expect(values(await output(`sing exec --no-privs $I ${LOOK}`)).at(-1)).toBe('1');
  });

  it('T134, T135, T136, T137, T138, T139, T140, T141, T142, T143, T144: --security is refused with a sentence', async () => {
    for (const option of ['uid:0', 'seccomp:/etc/x.json', 'seccomp', 'apparmor:x', 'selinux:x', 'bogus:1'])
      await expect(
        refused(`sing exec --security ${option} $I true`, /^FATAL: {3}--security .*is not offered/),
      ).resolves.toBeUndefined();
    await expect(
      refused('sing exec --security selinux:a --security apparmor:b $I true', /^FATAL/),
    ).resolves.toBeUndefined();
  });

  it.skipIf(!isRoot)(
    'T145, T146, T147: setuid bits, file capabilities and devices of an image give nothing',
    async () => {
      const image = rows.scene.image('hostile');
      const copy = join(image, 'busybox');
      copyFileSync('/bin/busybox', copy);
      chmodSync(copy, 0o4755);
      expect(await output(`sing exec ${image} sh -c '/busybox id -u'`)).toBe(String(rows.scene.user.uid));
      rmSync(copy);
      copyFileSync('/bin/busybox', copy);
      chmodSync(copy, 0o755);
      execFileSync('setcap', ['cap_dac_override,cap_setuid+ep', copy]);
      expect((await sh(`sing exec ${image} sh -c '/busybox ${LOOK.replaceAll("'", '"')}'`)).stdout).toMatch(
        /CapEff:\t0000000000000000/,
      );
      execFileSync('mknod', [join(image, 'null'), 'c', '1', '3']);
      chmodSync(join(image, 'null'), 0o666);
      const read = await sh(`sing exec ${image} cat /null`);
      expect(read.status).not.toBe(0);
      expect(read.stderr).toMatch(/Permission denied|not permitted/);
      expect(await output(`sing exec ${image} grep ' / / ' /proc/self/mountinfo`)).toMatch(/nosuid,nodev/);
    },
  );

  it('T148: no seccomp filter unless asked', async () => {
    const look = 'grep -m1 ^Seccomp: /proc/self/status';
    expect(await output(`sing exec $I ${look}`)).toBe(await output(look));
  });
});

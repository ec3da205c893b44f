import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ordinaryId, PROGRAM, skipContainers } from '../../support/containers.js';
import { useScene } from '../../support/rows.js';
import { isRoot } from '../../support/tester.js';

// Runtime contract §5.10: hostile images, races and input. As a user, and as root where root has more to lose.
describe.skipIf(skipContainers())('rows of hostile images and input', () => {
  const rows = useScene();
  const { sh } = rows;
  const everybody = isRoot ? (['user', 'root'] as const) : (['user'] as const);

  /** What a launch could spoil on the machine. */
  const host = (): unknown => ['/etc', '/', '/usr/bin', '/var'].map((folder) => readdirSync(folder).sort());

  it.each(everybody)('S01, S02, S03: links of an image lead nowhere but into it (%s)', async (as) => {
    const before = [host(), readFileSync('/proc/self/mountinfo', 'utf8')];
    const targets = ['/etc', '..', '../../../../../etc', '/proc/1/root/etc', '/host', '/', 'tmp'];
    for (const [index, target] of targets.entries()) {
      const image = rows.scene.image(`links-${as}-${index}`, { 'host/x': '' });
      for (const name of ['tmp', 'proc', 'sys', 'dev', 'var', 'home', 'root', 'mnt'])
        symlinkSync(target, join(image, name));
      rmSync(join(image, 'etc/passwd'));
      symlinkSync('../../../../etc/shadow', join(image, 'etc/passwd'));
      symlinkSync('../../../../etc/shadow', join(image, 'etc/resolv.conf'));
      for (const words of [
        '',
        '-c',
        `-B ${rows.scene.work}:/mnt/inner`,
        `--no-home -B ${rows.scene.work}/:/tmp/a`,
      ]) {
        const ended = await sh(`sing exec ${words} ${image} cat /etc/passwd`, { as });
        expect([0, 1, 255]).toContain(ended.status);
        expect(ended.stdout).not.toContain('root:$');
        expect(ended.stdout).not.toContain('root:*');
      }
    }
    expect([host(), readFileSync('/proc/self/mountinfo', 'utf8')]).toEqual(before);
  });

  it('S04: a passwd that leads to the host’s shadow is not read', async () => {
    const image = rows.scene.image('shadow');
    rmSync(join(image, 'etc/passwd'));
    symlinkSync('/etc/shadow', join(image, 'etc/passwd'));
    const ended = await sh(`sing exec ${image} cat /etc/passwd`);
    expect(ended.stdout).toBe('');
    expect(ended.stderr).toMatch(/passwd/);
  });

  it.each(everybody)(
    'S05: a target that changes between folder and link reaches nothing outside (%s)',
    async (as) => {
      const image = rows.scene.image(`race-${as}`);
      const victim = join(rows.scene.folder, `victim-${as}`);
      mkdirSync(victim, { mode: 0o777 });
      const script = `while :; do mkdir -p "$0/t/in"; rm -rf "$0/t"; ln -s ${victim} "$0/t"; ln -s ../../../../../../../${victim} "$0/u"; rm -rf "$0/t" "$0/u"; done`;
      const racer = spawn('sh', ['-c', script, image], { stdio: 'ignore', detached: true });
      try {
        const before = readFileSync('/proc/self/mountinfo', 'utf8');
        const ended = await sh(
          `i=0; while [ $i -lt 60 ]; do sing -s exec -B $W:/t/in/deep,$W:/u/x ${image} true 2>/dev/null; case $? in 0|255) ;; *) exit 9 ;; esac; i=$((i+1)); done`,
          { as },
        );
        expect(ended.status).toBe(0);
        expect(readFileSync('/proc/self/mountinfo', 'utf8')).toBe(before);
        expect(readdirSync(victim)).toEqual([]);
      } finally {
        process.kill(-Number(racer.pid), 'SIGKILL');
      }
    },
  );

  it('S06: an image whose name changes hands is one or the other, or refused', async () => {
    const one = rows.scene.image('one', { 'etc/which': 'one\n' });
    const two = rows.scene.image('two', { 'etc/which': 'two\n' });
    const link = join(rows.scene.folder, 'which');
    symlinkSync(one, link);
    const racer = spawn('sh', ['-c', `while :; do ln -sfn ${two} ${link}; ln -sfn ${one} ${link}; done`], {
      stdio: 'ignore',
      detached: true,
    });
    try {
      const ended = await sh(
        `i=0; while [ $i -lt 40 ]; do sing -s exec ${link} sh -c 'cat /etc/which; basename "$SINGULARITY_CONTAINER/../.."' | tr '\\n' ' '; echo; i=$((i+1)); done`,
      );
      for (const line of ended.stdout.trimEnd().split('\n')) expect(line).toMatch(/^(one |two |)/);
    } finally {
      process.kill(-Number(racer.pid), 'SIGKILL');
    }
  });

  it.each(everybody)(
    'S07, S08: destinations that would lead out stay inside or are refused (%s)',
    async (as) => {
      const before = host();
      const up = '/..'.repeat(100);
      for (const target of [
        '/proc/1/root/etc/scs',
        '/proc/self/exe',
        '/proc/self/fd/9',
        '/proc/self/cwd/x',
        `${up}/etc/scs`,
        `/x${up}/y`,
      ]) {
        const ended = await sh(`sing exec -B $W:${target} $S true`, { as });
        expect(ended.status === 0 || (ended.status === 255 && /^FATAL/m.test(ended.stderr))).toBe(true);
      }
      const long = await sh(`sing exec -B $W:/${'x/'.repeat(2200)} $S true`, { as });
      expect(long).toMatchObject({ status: 255, stdout: '' });
      expect(long.stderr).toMatch(/too long/);
      expect(host()).toEqual(before);
    },
  );

  it('S09, S11: scripts and the shell of an image have the user’s power, without capabilities', async () => {
    const look = `grep -E "^(CapEff|NoNewPrivs|Uid)" /proc/self/status | tr '\\n' ' '`;
    const image = rows.scene.image('scripts', {
      '.singularity.d/env/90-environment.sh': `touch /etc/scs-row 2>/dev/null; echo x >${rows.scene.folder}/scs-row 2>/dev/null; ${look}\n`,
    });
    const expected = new RegExp(`^Uid:\\t${rows.scene.user.uid}\\t.*CapEff:\\t0{16} NoNewPrivs:\\t1`);
    expect((await sh(`sing exec ${image} true`)).stdout).toMatch(expected);
    rmSync(join(image, 'bin/sh'));
    writeFileSync(join(image, 'bin/sh'), `#!/bin/busybox sh\n${look}\n`, { mode: 0o755 });
    expect((await sh(`sing run ${image}`)).stdout).toMatch(expected);
    expect(existsSync(join(rows.scene.folder, 'scs-row'))).toBe(false);
  });

  it('S10: the scripts of actions in an image are not used', async () => {
    const image = rows.scene.image(
      'actions',
      Object.fromEntries(
        ['exec', 'run', 'shell', 'test'].map((verb) => [
          `.singularity.d/actions/${verb}`,
          '#!/bin/sh\necho hostile\n',
        ]),
      ),
    );
    for (const words of [`exec ${image} true`, `run ${image} </dev/null`, `test ${image}`])
      expect((await sh(`sing ${words}`)).stdout).toBe('');
  });

  it('S15: poor surroundings and plans by hand', async () => {
    for (const limit of [
      'ulimit -f 0',
      'ulimit -n 3',
      'ulimit -s 64',
      'ulimit -v 200000',
      'exec <&- >&- 2>&-',
    ]) {
      const ended = await sh(`${limit}; sing exec $I true`);
      expect({ limit, status: ended.status, signal: ended.signal }).toEqual({
        limit,
        status: expect.toSatisfy((status) => status === 0 || status === 255) as number,
        signal: null,
      });
    }
    // A plan by hand gives nobody more than they have: root's own ids are refused by the kernel.
    const plan = (await sh('sing exec --dry-run $S id')).stdout;
    const asRoot = plan.replaceAll(/"inside": \d+,\s+"outside": \d+/g, '"inside": 0, "outside": 0');
    writeFileSync(join(rows.scene.folder, 'plan'), asRoot, { mode: 0o644 });
    expect((await sh('sing --execute-plan 3 3<$F/plan')).status).toBe(255);
    expect((await sh('sing --execute-plan 3 3</dev/null')).status).toBe(255);
  });

  it.each(['exec $S', 'instance start $S no-handle'])(
    'a plan names descriptors of its caller, and none of the program itself (%s)',
    async (words) => {
      const [command, ...more] = words.split(' $S');
      const { stdout } = await sh(`sing ${command} --dry-run $S${more.join('')} true`);
      for (let handle = 3; handle < 13; handle += 1) {
        const plan = stdout.replaceAll(/"handle": \d+/g, `"handle": ${handle}`);
        writeFileSync(join(rows.scene.folder, 'plan'), plan, { mode: 0o644 });
        const ended = await sh('sing --execute-plan 3 3<$F/plan');
        expect([ended.status, ended.stderr]).toEqual([
          255,
          expect.stringContaining(`use descriptor ${handle}: Bad file descriptor`),
        ]);
      }
    },
  );

  it('S19: no descriptor of the runtime leads out', async () => {
    for (const fd of [3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 30])
      expect((await sh(`sing exec --cwd /proc/self/fd/${fd} $S true`)).status).toBe(255);
    const direct = await sh('$S/bin/ls /proc/self/fd');
    expect((await sh('sing exec $S ls /proc/self/fd')).stdout).toBe(direct.stdout);
  });

  it.each(everybody)('S20: the program cannot be written from inside (%s)', async (as) => {
    const own = join(rows.scene.folder, `own-${as}`);
    const program = rows.scene.installation(`own-${as}`, {});
    const hash = (): string => createHash('sha256').update(readFileSync(program)).digest('hex');
    const before = hash();
    for (const words of ['-p', '-p -f', ''])
      await sh(
        `${program} exec ${words} $S sh -c 'echo x >/proc/1/exe; echo x >/proc/$PPID/exe; echo x >/proc/self/exe' 2>/dev/null`,
        { as },
      );
    expect(hash()).toBe(before);
    expect(existsSync(own)).toBe(true);
  });

  it.skipIf(!isRoot)('S21: another user cannot look into a container', async () => {
    const child = spawn(PROGRAM, ['exec', rows.scene.sandbox, 'sh', '-c', 'echo ready; exec sleep 1000'], {
      cwd: '/',
      env: rows.scene.environment(false),
      stdio: ['ignore', 'pipe', 'inherit'],
      uid: rows.scene.user.uid,
      gid: rows.scene.user.gid,
    });
    await once(child.stdout, 'data');
    const look = spawn('ls', [`/proc/${child.pid}/root/`, `/proc/${child.pid}/ns/`], {
      uid: ordinaryId(),
      gid: ordinaryId(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let errors = '';
    look.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    const [status] = await once(look, 'close');
    child.kill('SIGKILL');
    expect(status).not.toBe(0);
    expect(errors).toMatch(/Permission denied/);
  });

  it('S25: values near the limits of the kernel, and a byte 0 by a file', async () => {
    const ended = await sh(`sing exec $S true $(head -c 120000 /dev/zero | tr '\\0' x)`);
    expect([0, 255]).toContain(ended.status);
    const zero = await sh(`printf 'A=1\\0B=2\\n' >$W/zero; sing exec --env-file $W/zero $S true`);
    expect(zero).toMatchObject({ status: 255, stdout: '' });
    expect(zero.stderr).toMatch(/byte 0/);
    const large = await sh(
      `head -c 300000 /dev/zero | tr '\\0' x >$W/large; sing exec --env-file $W/large $S true`,
    );
    expect(large.status).toBe(255);
  });

  it('S27: cgroup files cannot be written from a user namespace', async () => {
    const script =
      'for f in $(find /sys/fs/cgroup -name release_agent -o -name cgroup.procs -o -name notify_on_release 2>/dev/null | head -40); do if echo 0 >"$f"; then echo written "$f"; fi; done 2>/dev/null';
    for (const words of ['', '--fakeroot', '--fakeroot -p'])
      expect((await sh(`sing exec ${words} -B /usr/bin/find:/bin/find $S sh -c '${script}'`)).stdout).toBe(
        '',
      );
  });

  it('S29, S31: words that are none of what they should be', async () => {
    for (const words of [
      "--network-args 'portmap=8080:80/tcp;id'",
      "--network-args '../../x'",
      "--network '../none'",
    ])
      expect((await sh(`sing exec -n ${words} $S true`)).status).toBe(255);
    for (const name of ['a b', 'a!', 'a/b', 'a\nb', '-a', 'x'.repeat(65)]) {
      const ended = await sh(`sing exec --hostname "$NAME" $S true`, { env: { NAME: name } });
      expect({ name, status: ended.status }).toEqual({ name, status: 255 });
    }
  });

  it('S30: an account of the host is one line inside', async () => {
    const ended = await sh('sing exec $S cat /etc/passwd');
    const lines = ended.stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatch(
      new RegExp(
        `^${rows.scene.user.name}:x:${rows.scene.user.uid}:${rows.scene.user.gid}:[^:]*:${rows.scene.user.home}:`,
      ),
    );
  });

  it('S14: an ext3 image of a user is not mounted by the kernel', async () => {
    const image = join(rows.scene.folder, 'ext3.img');
    const made = await sh(
      `head -c 4194304 /dev/zero >$F/ext3.img && mkfs.ext3 -q -F $F/ext3.img && chmod 644 $F/ext3.img`,
      { as: isRoot ? 'root' : 'user' },
    );
    expect(made.status).toBe(0);
    copyFileSync(image, `${image}.copy`);
    const mounts = await sh(`sing exec ${image} cat /proc/self/mountinfo`);
    expect(mounts.stdout).not.toMatch(/ - ext[34] .*loop/);
  });
});

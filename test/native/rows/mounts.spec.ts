import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { skipContainers } from '../../support/containers.js';
import { useScene } from '../../support/rows.js';
import { isRoot } from '../../support/tester.js';

// Runtime contract §5.2: mounts, home, working directory, files. As a user.
describe.skipIf(skipContainers())('rows of mounts', () => {
  const rows = useScene(async (scene) => {
    await scene.sh(
      'mkdir -p $W/a $W/b/sub $W/home; echo a >$W/a/file; echo b >$W/b/file; mkdir "$W/a,b" "$W/co:lon"; echo c >"$W/a,b/file"; echo d >"$W/co:lon/file"',
    );
  });
  const { sh, output, refused, conf } = rows;

  it('T041, T042: home and /tmp are the host’s and the user’s; contained they are empty', async () => {
    const name = `scs-row-${process.pid}`;
    await output(`sing exec $I sh -c 'touch $HOME/${name} /tmp/${name}'`);
    for (const path of [join(rows.scene.user.home, name), join('/tmp', name)]) {
      expect(statSync(path).uid).toBe(rows.scene.user.uid);
      rmSync(path);
    }
    expect(await output(`sing exec -C $I sh -c 'ls -A $HOME /tmp | grep -v :' || true`)).toBe('');
  });

  it('T043: /dev of a contained start is exactly this', async () => {
    const devices = 'fd null ptmx pts random shm stderr stdin stdout tty urandom zero';
    expect((await output('sing exec -c $I ls /dev')).split('\n').join(' ')).toBe(devices);
    expect((await output('sing exec -c -i $I ls /dev')).split('\n')).toContain('mqueue');
  });

  it('T044: mount dev', async () => {
    const minimal = await output(`${conf('minimal', 'mount dev = minimal')} exec $I ls /dev`);
    expect(minimal.split('\n')).toEqual(expect.arrayContaining(['null', 'zero', 'random', 'urandom', 'shm']));
    expect(minimal).not.toContain('kmsg');
    const image = rows.scene.image('with-dev', { 'dev/of-the-image': '' });
    expect(await output(`${conf('no-dev', 'mount dev = no')} exec ${image} ls /dev`)).toBe('of-the-image');
  });

  it('T045, T046: a bind, read-only if asked, always nosuid and nodev', async () => {
    expect(await output('sing exec -B /etc:/mnt $I ls /mnt/hostname')).toBe('/mnt/hostname');
    expect((await sh('sing exec -B $W/a:/mnt:ro $I touch /mnt/x')).stderr).toMatch(/Read-only file system/);
    expect(await output(`sing exec -B /etc:/mnt:ro $I grep ' /mnt ' /proc/self/mountinfo`)).toMatch(
      / \/mnt ro,nosuid,nodev/,
    );
  });

  it('T045: a bind of what has the place of the session in it shows what the host has there', async () => {
    const there = await output('ls -A /mnt');
    expect(await output('sing exec -B /mnt:/new $I ls -A /new')).toBe(there);
    expect(await output('sing exec -B /:/new $I ls -A /new/mnt')).toBe(there);
  });

  it('T047, T048, T049: binds that cannot be', async () => {
    await expect(refused('sing exec -B /nope $I true', /\/nope/)).resolves.toBeUndefined();
    await expect(
      refused('sing exec -B /etc:rel $I true', /destination must be an absolute path/i),
    ).resolves.toBeUndefined();
    await expect(
      refused('sing exec -B /tmp:/mnt:bogus $I true', /not a valid bind option/),
    ).resolves.toBeUndefined();
    await expect(refused('sing exec -B :/mnt $I true', /FATAL/)).resolves.toBeUndefined();
  });

  it('T050, T051, T052: targets that the image has not', async () => {
    expect(await output('sing exec -B /tmp:/new/deep/dir $I ls -d /new/deep/dir')).toBe('/new/deep/dir');
    expect(await output('sing exec -B /etc/hosts:/newfile $I cat /newfile')).toBe(
      readFileSync('/etc/hosts', 'utf8').trimEnd(),
    );
    expect(await output('sing exec -B $W/a:/x,$W/b:/y -B $W/a:/z $I cat /x/file /y/file /z/file')).toBe(
      'a\nb\na',
    );
  });

  it('T053: --mount', async () => {
    expect((await sh('sing exec --mount type=bind,src=$W/a,dst=/mnt,ro $I touch /mnt/x')).stderr).toMatch(
      /Read-only/,
    );
    for (const wrong of [
      'type=tmpfs,dst=/mnt',
      'type=bind,src=/tmp,dst=/mnt,bind-propagation=shared',
      'type=bind,src=/tmp',
      'type=bind,src=/tmp,dst=/mnt,bogus=1',
    ])
      await expect(refused(`sing exec --mount ${wrong} $I true`, /^FATAL/)).resolves.toBeUndefined();
  });

  it('T054, T055: commas and colons in paths', async () => {
    expect(await output(`sing exec "--mount=type=bind,\\"src=$W/a,b\\",dst=/mnt" $I cat /mnt/file`)).toBe(
      'c',
    );
    expect(await output(`sing exec -B "$W/co\\:lon:/mnt" $I cat /mnt/file`)).toBe('d');
  });

  it('T056, T057: variable and flag, and a bind in a bind', async () => {
    expect(
      await output('sing exec -B $W/b:/b $I cat /a/file /b/file', {
        env: { SINGULARITY_BIND: `${rows.scene.work}/a:/a` },
      }),
    ).toBe('a\nb');
    expect(await output('sing exec -B $W/b:/m,$W/a:/m/sub $I cat /m/file /m/sub/file')).toBe('b\na');
  });

  it('of several binds to one place the first stays: the flag before the variable', async () => {
    const ended = await sh('sing exec -B $W/b:/m $I cat /m/file', {
      env: { SINGULARITY_BIND: `${rows.scene.work}/a:/m,${rows.scene.work}/b:/m` },
    });
    expect(ended).toMatchObject({ status: 0, stdout: 'b\n' });
    expect(ended.stderr).toBe(
      `WARNING: Not binding ${rows.scene.work}/a: ${rows.scene.work}/b is bound to /m already\n`,
    );
  });

  it('a mount point below another mount is made there', async () => {
    const contained = 'sing exec -C -S /scr -B $W/a:/tmp/x/y -B $W/a:$HOME/p/q -B $W/b/file:/var/tmp/one';
    const files = '/tmp/x/y/file $HOME/p/q/file /var/tmp/one /scr/z/file';
    expect(await output(`${contained} -B $W/b:/scr/z $I cat ${files}`)).toBe('a\na\nb\nb');
    await sh('mkdir -p $W/open');
    expect(
      await output('sing exec -B $W/open:/m,$W/a:/m/new/one,$W/a/file:/m/two $I cat /m/new/one/file /m/two'),
    ).toBe('a\na');
    // The caller sees where it was: an empty directory and an empty file of the caller.
    expect(await output('cd $W/open && find . -empty | sort')).toBe('./new/one\n./two');
    await refused(
      'sing exec -B $W/open:/m:ro,$W/a:/m/other $I true',
      /\/m\/other doesn't exist in container/,
    );
    // A link in a directory of the host leads on in the container, where nothing can be made.
    await sh('mkdir -p $W/linked; ln -s ../../../etc $W/linked/etc');
    await refused('sing exec -B $W/linked:/m,$W/a:/m/etc/new-dir $I true', /doesn't exist in container/);
    expect(existsSync('/etc/new-dir')).toBe(false);
  });

  it('the working directory does not cover what is bound there', async () => {
    expect(await output('cd $W/b && sing exec -B $W/a:$W/b $I cat file')).toBe('a');
    expect(await output('cd /tmp && sing exec -B $W/a:/tmp $I cat file')).toBe('a');
    // One above it hides it: it is mounted again.
    await sh('mkdir -p $W/open2 $W/open3');
    for (const above of ['-B $W/open2:$W/b', '-H $W/open3:$W/b'])
      expect(await output(`cd $W/b/sub && sing exec ${above} $I pwd`)).toBe(join(rows.scene.work, 'b/sub'));
  });

  it('a directory that the caller may not enter can be bound', async () => {
    const closed = join(rows.scene.folder, 'closed');
    mkdirSync(closed, { mode: isRoot ? 0o700 : 0o000 });
    const ended = await sh('sing exec -B $F/closed:/m $I sh -c "ls /m || echo closed"');
    expect(ended).toMatchObject({ status: 0, stdout: 'closed\n' });
  });

  it('T058: a target that is a link leads where it leads in the container', async () => {
    const image = rows.scene.image('linked');
    mkdirSync(join(image, 'run'));
    mkdirSync(join(image, 'var'));
    symlinkSync('/run', join(image, 'var/run'));
    expect(await output(`sing exec -B $W/a:/var/run ${image} cat /run/file`)).toBe('a');
  });

  it('T059, T060: --no-home', async () => {
    expect((await sh('sing exec --no-home $I ls -A $HOME')).stdout).toBe('');
    await sh('mkdir -p $HOME/sub; touch $HOME/other $HOME/sub/here');
    const ended = await sh('cd $HOME/sub && sing exec --no-home $I sh -c "ls; ls -A $HOME"');
    expect(ended.stdout).toBe('here\nsub\n');
  });

  it('T061: another home', async () => {
    expect(await output(`sing exec -H $W/home:/home/z $I sh -c 'echo $HOME; ls -d /home/z'`)).toBe(
      '/home/z\n/home/z',
    );
  });

  it('T062: of the folder of homes only the own is seen', async () => {
    expect(await output(`sing exec $I ls ${join(rows.scene.user.home, '..')}`)).toBe(rows.scene.user.name);
  });

  it('T063, T064: --no-mount', async () => {
    const image = rows.scene.image('with-tmp', { 'tmp/of-the-image': '' });
    expect(await output(`sing exec --no-mount tmp ${image} ls /tmp`)).toBe('of-the-image');
    const unknown = await sh('sing exec --no-mount bogus $I true');
    expect(unknown).toMatchObject({ status: 0, stderr: `WARNING: Ignoring unknown mount type 'bogus'\n` });
    const mounts = 'sh -c "grep -c /etc/hosts /proc/self/mountinfo"';
    expect(await output(`sing exec $I ${mounts}`)).toBe('1');
    expect((await sh(`sing exec --no-mount bind-paths $I ${mounts}`)).stdout).toBe('0\n');
    expect((await sh(`sing exec --no-mount /etc/hosts $I ${mounts}`)).stdout).toBe('0\n');
  });

  it('T065, T066: --workdir keeps what a contained start writes, --scratch is fresh', async () => {
    await sh('mkdir $W/w');
    await output(`sing exec -c -W $W/w -S /scr $I sh -c 'touch /tmp/f /var/tmp/g $HOME/h /scr/s'`);
    expect(await output('cd $W/w && ls tmp var_tmp home scratch/scr')).toBe(
      'home:\nh\n\nscratch/scr:\ns\n\ntmp:\nf\n\nvar_tmp:\ng',
    );
    expect(await output('stat -c %a $W/w/home $W/w/tmp')).toBe('700\n1777');
    await expect(refused('sing exec -c -W /nope $I true', /\/nope/)).resolves.toBeUndefined();
    await expect(
      refused('touch $W/file; sing exec -c -W $W/file $I true', /directory/),
    ).resolves.toBeUndefined();
    expect(await output('sing exec -S /scr $I sh -c "touch /scr/f && ls /scr"')).toBe('f');
    expect(await output('sing exec -S /scr $I ls /scr')).toBe('');
  });

  it('T065: a workdir in which somebody put a link is refused', async () => {
    await sh('mkdir $W/l && ln -s /etc $W/l/tmp');
    await expect(refused('sing exec -c -W $W/l $I ls /tmp', /FATAL/)).resolves.toBeUndefined();
  });

  it('T067, T068: the working directory, links resolved', async () => {
    expect(await output('mkdir -p $W/d && ln -s d $W/link && cd $W/d && sing exec $I pwd')).toBe(
      join(rows.scene.work, 'd'),
    );
    expect(await output('cd $W/link && sing exec $I sh -c pwd')).toBe(join(rows.scene.work, 'd'));
  });

  it('T069: a working directory that was deleted', async () => {
    const ended = await sh('mkdir $W/gone && cd $W/gone && rmdir $W/gone && sing exec $I pwd');
    expect(ended).toMatchObject({ status: 0, stdout: `${rows.scene.user.home}\n` });
    expect(ended.stderr).toMatch(/^WARNING/);
  });

  it('T070: --cwd must be there', () =>
    expect(refused('sing exec --cwd /nope $I true', /\/nope/)).resolves.toBeUndefined());

  it('T071, T072: working directories that are the image’s', async () => {
    expect((await sh('cd /etc && sing exec $I sh -c "pwd; cat debian_version"')).stdout).toBe('/etc\n');
    const ended = await sh('cd /proc/self && sing exec $I true');
    expect(ended).toMatchObject({ status: 0, stderr: '' });
  });

  it('T073, T074: an image without or with a wrong passwd', async () => {
    const without = rows.scene.image('no-passwd');
    rmSync(join(without, 'etc/passwd'));
    const ended = await sh(`sing exec ${without} ls /etc/passwd`);
    expect(ended.stdout).toBe('');
    expect(ended.stderr).toMatch(/WARNING.*passwd/);
    const garbage = rows.scene.image('garbage');
    writeFileSync(join(garbage, 'etc/passwd'), 'garbage\n');
    const second = await sh(`sing exec ${garbage} cat /etc/passwd`);
    expect(second).toMatchObject({ status: 0, stdout: 'garbage\n' });
    expect(second.stderr).toMatch(/WARNING.*passwd/);
  });

  it('T075: config passwd, group, resolv_conf = no leave the image’s files', async () => {
    const sing = conf('no-files', 'config passwd = no\nconfig group = no\nconfig resolv_conf = no');
    expect(await output(`${sing} exec $I cat /etc/passwd /etc/group`)).toBe(
      'root:x:0:0:root:/root:/bin/sh\nroot:x:0:',
    );
    expect((await sh(`${sing} exec $I ls /etc/resolv.conf`)).status).not.toBe(0);
  });

  it('T076: --dns', async () => {
    expect(await output('sing exec --dns 1.2.3.4,2001:db8::1 $I cat /etc/resolv.conf')).toBe(
      'nameserver 1.2.3.4\nnameserver 2001:db8::1',
    );
    await expect(
      refused('sing exec --dns 1.2.3 $I true', /dns ip 1\.2\.3 is not a valid IP address/),
    ).resolves.toBeUndefined();
  });

  it('T077: --hostname', async () => {
    expect(await output('sing exec --hostname h $I hostname')).toBe('h');
    await expect(refused("sing exec --hostname 'a b' $I true", /hostname/)).resolves.toBeUndefined();
  });

  it('T080, T081, T082: --writable-tmpfs', async () => {
    await output('sing exec --writable-tmpfs $I touch /f');
    expect((await sh('sing exec $I ls /f')).status).not.toBe(0);
    const small = conf('small', 'sessiondir max size = 1');
    expect(
      (await sh(`${small} exec --writable-tmpfs $I dd if=/dev/zero of=/f bs=1M count=2`)).stderr,
    ).toMatch(/No space left/);
    expect((await sh('sing exec -w --writable-tmpfs $S true')).stderr).toMatch(
      /^WARNING: Disabling --writable-tmpfs/m,
    );
  });

  it('T090: without a layer a target that is not there is refused, one that is there works', async () => {
    const sing = conf('no-layer', 'enable overlay = no\nenable underlay = no');
    await expect(
      refused(`${sing} exec --no-home -B /tmp:/newdir $I true`, /newdir/),
    ).resolves.toBeUndefined();
    const image = rows.scene.image('with-targets', { 'mnt/x': '', 'proc/x': '', 'tmp/x': '' });
    expect(
      await output(
        `${sing.replace('sing ', 'sing -s ')} exec --no-home --no-mount dev,sys -B $W/a:/mnt ${image} cat /mnt/file`,
      ),
    ).toBe('a');
  });

  it('T092: user bind control = no', async () => {
    const ended = await sh(
      `${conf('no-binds', 'user bind control = no')} exec -B $W/a:/m -S /scr -H $W/home:/hh $S ls /m`,
    );
    expect([1, 2]).toContain(ended.status);
    expect(ended.stderr).toMatch(/^WARNING.*user bind control/m);
    expect(
      (
        await sh(
          `cd $W/a && ${conf('no-binds', 'user bind control = no')} exec --no-mount tmp $S ls ${rows.scene.work}`,
        )
      ).stdout,
    ).toBe('');
  });

  it('T093: 60 binds', async () => {
    const binds = Array.from({ length: 60 }, (_, i) => `${rows.scene.work}/a:/m/${i}`).join(',');
    expect(await output(`sing exec -B ${binds} $I sh -c 'cat /m/*/file | wc -l'`)).toBe('60');
  });

  it('T094: every default mount is nosuid and nodev', async () => {
    const lines = (await output('cd $W && sing exec $I cat /proc/self/mountinfo'))
      .split('\n')
      .map((line) => line.split(' '));
    for (const path of [
      '/',
      rows.scene.user.home,
      '/tmp',
      '/var/tmp',
      '/etc/hosts',
      rows.scene.work.startsWith('/var/tmp') ? '/var/tmp' : rows.scene.work,
    ]) {
      const flags = lines.findLast(([, , , , target]) => target === path)?.[5]?.split(',');
      expect([path, flags]).toEqual([path, expect.arrayContaining(['nosuid', 'nodev'])]);
    }
  });

  it('T095: nothing is left', async () => {
    // Loop devices of other tests come and go: those of this scene are looked for.
    const look = `cat /proc/self/mountinfo; losetup -a | grep -F ${rows.scene.folder}; ls /sys/block | grep -v loop`;
    const before = await sh(look, { as: isRoot ? 'root' : 'user' });
    await sh('sing exec $I true; sing exec -C -f $I true; sing exec $S false; sing exec -B /nope $I true');
    // A mount that starts share goes away later: test/native/shared-server.spec.ts waits for that.
    const sing = conf('own-mounts', 'image server idle = 0');
    if (isRoot) await sh(`${sing} exec $I true; ${sing} exec -C $I true`, { as: 'root' });
    expect((await sh(look, { as: isRoot ? 'root' : 'user' })).stdout).toBe(before.stdout);
  });

  it.skipIf(!isRoot)('T089: mount hostfs = yes', async () => {
    const sing = conf('hostfs', 'mount hostfs = yes');
    const prepare =
      'mkdir -p /opt/scs-rows && mount -t tmpfs none /opt/scs-rows && echo seen >/opt/scs-rows/file';
    try {
      expect((await sh(`${sing} exec $I cat /opt/scs-rows/file`, { prepare })).stdout).toBe('seen\n');
      expect((await sh(`${sing} exec --no-mount hostfs $I ls /opt/scs-rows`, { prepare })).status).not.toBe(
        0,
      );
      expect((await sh(`sing exec $I ls /opt/scs-rows`, { prepare })).status).not.toBe(0);
      const flags = (await sh(`${sing} exec $I grep /opt/scs-rows /proc/self/mountinfo`, { prepare })).stdout;
      expect(flags).toMatch(/nosuid,nodev/);
    } finally {
      if (existsSync('/opt/scs-rows')) rmSync('/opt/scs-rows', { recursive: true });
    }
  });

  it.skipIf(!isRoot)('T047: a source that only others may enter is refused to the user', async () => {
    mkdirSync(join(rows.scene.folder, 'closed/inner'), { recursive: true });
    chmodSync(join(rows.scene.folder, 'closed'), 0o700);
    await expect(
      refused('sing exec -B $F/closed/inner:/mnt $I true', /closed\/inner/),
    ).resolves.toBeUndefined();
  });
});

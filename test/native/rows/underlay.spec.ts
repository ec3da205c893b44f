import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { skipContainers } from '../../support/containers.js';
import { type Scene, useScene } from '../../support/rows.js';
import { isRoot, tester } from '../../support/tester.js';

// Mount points that an image lacks, made without an overlay (runtime contract §2.4, "Layer choice").

const NO_OVERLAY = 'enable overlay = no';
/** Overlays of overlays, of which the kernel takes one layer less than `$F/deep` needs: over that directory it lays none. The image in it is `$S`. */
const REFUSED = [
  'mkdir -p $F/empty-$$ $F/once-$$ $F/deep && mount -t tmpfs none $F/deep && mkdir $F/deep/image',
  'mount -t overlay none -o lowerdir=$F/empty-$$:$S $F/once-$$',
  'mount -t overlay none -o lowerdir=$F/empty-$$:$F/once-$$ $F/deep/image',
].join('\n');
const everybody = isRoot ? (['user', 'root'] as const) : (['user'] as const);

/** `$F/many/image`: more than an underlay takes, in the folder /many. */
function makeCrowded(scene: Scene): void {
  const many = join(scene.image('many'), 'many');
  mkdirSync(many);
  for (let number = 0; number <= 20_000; number += 1) symlinkSync('x', join(many, String(number)));
}

describe.skipIf(skipContainers())('underlay', () => {
  const rows = useScene((scene) => {
    mkdirSync(join(scene.folder, 'host'), { mode: 0o755 });
    writeFileSync(join(scene.folder, 'host/file'), 'host\n', { mode: 0o644 });
    makeCrowded(scene);
  });
  const { sh, output, refused, conf } = rows;
  const binds = (count: number): string =>
    Array.from({ length: count }, (_, index) => `/usr:/m/${index}`).join(',');

  describe.each(everybody)('as %s', (as) => {
    it('T050: a destination with missing parents is made', async () => {
      for (const sing of ['sing exec --underlay', `${conf('underlay', NO_OVERLAY)} exec`])
        for (const image of ['$I', '$S'])
          expect(await output(`${sing} -B /tmp:/new/deep/dir ${image} ls -d /new/deep/dir`, { as })).toBe(
            '/new/deep/dir',
          );
    });

    it('T090: with neither overlay nor underlay it is refused', async () => {
      const sing = conf('neither', `${NO_OVERLAY}\nenable underlay = no`);
      await expect(
        refused(`${sing} exec --no-home -B /tmp:/newdir $I true`, /newdir/, { as }),
      ).resolves.toBeUndefined();
    });

    it('T093: 60 binds work, with a warning', async () => {
      const ended = await sh(`sing exec --underlay -B ${binds(60)} $S sh -c 'ls -d /m/*/bin | wc -l'`, {
        as,
      });
      expect(ended).toMatchObject({ status: 0, stdout: '60\n' });
      expect(ended.stderr).toMatch(/^WARNING: The underlay needs more than 50 bind mounts \(\d\d\)/);
      expect((await sh(`sing exec -B ${binds(60)} $S true`, { as })).stderr).toBe('');
    });

    it('shows the image as it is, from no overlay, read-only, nosuid and nodev', async () => {
      const seen = (flag: string): Promise<string> =>
        output(
          `sing exec ${flag} -B /tmp:/etc/made,/tmp:/made $S sh -c 'ls / /bin /etc; readlink /bin/ls; cat /etc/passwd'`,
          { as },
        );
      expect(await seen('--underlay')).toBe(await seen(''));
      const mounts = (
        await output('sing exec --underlay -B /tmp:/etc/made,/tmp:/made $S cat /proc/self/mountinfo', { as })
      )
        .split('\n')
        .map((line) => line.split(' '));
      expect(mounts.filter((fields) => fields.includes('overlay'))).toEqual([]);
      const ofImage = mounts.filter(
        ([, , , root = '', at = '']) => root.includes(rows.scene.sandbox) || ['/', '/etc'].includes(at),
      );
      expect(ofImage.length).toBeGreaterThan(3);
      for (const [, , , , at, flags = ''] of ofImage)
        expect([at, flags.split(',')]).toEqual([at, expect.arrayContaining(['ro', 'nosuid', 'nodev'])]);
    });

    it('writes nothing to the image, and lets nobody write to it', async () => {
      const image = '$(find $S -ls | md5sum)';
      const ended = await sh(
        `before="${image}"; sing exec --underlay -B /tmp:/etc/a,/tmp:/usr/b $S touch /f /etc/f /bin/f /usr/f; echo $?; [ "$before" = "${image}" ]`,
        { as },
      );
      expect(ended).toMatchObject({ status: 0, stdout: '1\n' });
      expect(ended.stderr.match(/Read-only file system/g)).toHaveLength(4);
    });

    it('files, folders, nested ones, and links of the image on the way', async () => {
      const image = rows.scene.image(`links-${as}`, { 'opt/real/kept': 'kept', 'opt/file': 'file' });
      symlinkSync('real', join(image, 'opt/link'));
      symlinkSync('../../../..', join(image, 'opt/up'));
      symlinkSync('loop', join(image, 'opt/loop'));
      const bound = '$F/host:/opt/link/a,$F/host/file:/opt/link/b,$F/host/file:/opt/up/c/d,$F/host:/opt/e/f';
      const looks = `cat /opt/real/a/file /opt/real/b /c/d /opt/e/f/file; ls /opt /opt/real`;
      expect(await output(`sing exec --underlay -B ${bound} ${image} sh -c '${looks}'`, { as })).toBe(
        'host\nhost\nhost\nhost\n/opt:\ne\nfile\nlink\nloop\nreal\nup\n\n/opt/real:\na\nb\nkept',
      );
      for (const to of ['/opt/file/below', '/opt/loop/below', '/bin/busybox/below'])
        await expect(
          refused(`sing exec --underlay -B $F/host:${to} ${image} true`, /^FATAL: .*below/, { as }),
        ).resolves.toBeUndefined();
    });

    it('--writable-tmpfs is switched off with a warning, --overlay is refused', async () => {
      const ended = await sh('sing exec --underlay --writable-tmpfs $S touch /f', { as });
      expect(ended.status).toBe(1);
      expect(ended.stderr).toMatch(/^WARNING: Disabling --writable-tmpfs/);
      await expect(
        refused('sing exec --underlay --overlay $S:ro $S true', /exclude each other/, { as }),
      ).resolves.toBeUndefined();
      await expect(
        refused(
          `${conf('forbidden', 'enable underlay = no')} exec --underlay $S true`,
          /enable underlay = no/,
          {
            as,
          },
        ),
      ).resolves.toBeUndefined();
    });

    it('a folder with very many entries is a sentence', async () => {
      await expect(
        refused(`sing exec --underlay -B /tmp:/many/made $F/many/image true`, /more than 20000 entries/, {
          as,
        }),
      ).resolves.toBeUndefined();
      expect(await output(`sing exec -B /tmp:/many/made $F/many/image ls -d /many/made`, { as })).toBe(
        '/many/made',
      );
    });

    it('which way was taken is said with --verbose', async () => {
      const said = async (words: string): Promise<string> =>
        (await sh(`sing -v exec ${words} $S true`, { as })).stderr;
      expect(await said('--underlay')).toMatch(/^VERBOSE: .* made by an underlay of \d+ bind mounts$/m);
      expect(await said('')).toMatch(/^VERBOSE: .* made by an overlay$/m);
    });
  });

  it('in a fakeroot container', async () => {
    const ended = await sh(
      'sing exec --fakeroot --underlay -B /tmp:/etc/made $S sh -c "id -u; ls -d /etc/made"',
    );
    expect(ended).toMatchObject({ status: 0, stdout: '0\n/etc/made\n' });
  });

  it('in an instance', async () => {
    const command = `export SINGULARITY_CONFIGDIR=$W/instances
      sing instance start --underlay -B /tmp:/etc/made $S underlay && sing exec instance://underlay ls -d /etc/made
      sing instance stop underlay`;
    expect((await sh(command)).stdout).toContain('/etc/made\n');
  });

  // Somebody else's folder, which the user cannot read.
  it.skipIf(!isRoot)('a folder that the caller cannot read stays as it is', async () => {
    const image = rows.scene.image('closed');
    mkdirSync(join(image, 'closed/inside'), { recursive: true, mode: 0o700 });
    expect(tester().uid).not.toBe(0);
    await expect(
      refused(`sing exec --underlay -B /tmp:/closed/made ${image} true`, /closed\/made/),
    ).resolves.toBeUndefined();
    expect(await output(`sing exec --underlay -B /tmp:/made ${image} ls -d /closed /made`)).toBe(
      '/closed\n/made',
    );
  });
});

describe.skipIf(skipContainers() || !isRoot)('where the kernel lays no overlay over the image', () => {
  const { sh, conf } = useScene(makeCrowded);
  const words = 'exec -B /tmp:/new/dir $F/deep/image ls -d /new/dir';

  describe.each(['user', 'root'] as const)('as %s', (as) => {
    const on = { as, prepare: REFUSED };

    it('an underlay does instead, without a word', async () => {
      expect(await sh(`sing ${words}`, on)).toMatchObject({ status: 0, stdout: '/new/dir\n', stderr: '' });
      expect((await sh(`sing -v ${words}`, on)).stderr).toMatch(
        /^VERBOSE: No overlay: mount the overlay: Invalid argument\nVERBOSE: .* made by an underlay of/m,
      );
    });

    it('where neither can be had, both reasons are said', async () => {
      const prepare = REFUSED.replaceAll('$S', () => '$F/many/image');
      const ended = await sh('sing exec -B /tmp:/many/made $F/deep/image true', { as, prepare });
      expect(ended).toMatchObject({ status: 255, stdout: '' });
      expect(ended.stderr).toMatch(
        /^FATAL: .*no overlay \(.*Invalid argument\), and no underlay: .*20000 entries/,
      );
    });

    it('enable overlay = yes insists, and says how to do without', async () => {
      const ended = await sh(`${conf('insists', 'enable overlay = yes')} ${words}`, on);
      expect(ended).toMatchObject({ status: 255, stdout: '' });
      expect(ended.stderr).toMatch(/^FATAL: .*overlay.*--underlay/);
      expect((await sh(`sing ${words.replace('exec', 'exec --underlay')}`, on)).stdout).toBe('/new/dir\n');
    });

    it('enable underlay = no leaves the refusal of the kernel', async () => {
      const ended = await sh(`${conf('no-underlay', 'enable underlay = no')} ${words}`, on);
      expect(ended).toMatchObject({ status: 255, stdout: '' });
      expect(ended.stderr).toMatch(/^FATAL: .*mount the overlay/);
    });

    it('what needs an overlay is refused', async () => {
      const ended = await sh(`sing exec --writable-tmpfs $F/deep/image true`, on);
      expect(ended).toMatchObject({ status: 255, stdout: '' });
      expect(ended.stderr).toMatch(/^FATAL: .*mount the overlay/);
    });
  });

  // There is no Lustre here: the call that asks for the file system of the image is answered with its number.
  it.skipIf(!existsSync('/usr/bin/strace'))(
    'on Lustre none is tried, also where the site insists',
    async () => {
      const lustre = `strace -qq -o /dev/null -e trace=fstatfs -e inject=fstatfs:poke_exit=@arg2=D00BD00B00000000`;
      for (const site of ['yes', 'try']) {
        const sing = conf(`lustre-${site}`, `enable overlay = ${site}`).replace('sing ', 'sing -v ');
        const ended = await sh(`${lustre} ${sing} exec -B /tmp:/new/dir $S ls -d /new/dir`, { as: 'root' });
        expect(ended).toMatchObject({ status: 0, stdout: '/new/dir\n' });
        expect(ended.stderr).toMatch(
          /^VERBOSE: No overlay: the image lies on Lustre\nVERBOSE: .* by an underlay of/m,
        );
      }
    },
  );
});

import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pullImage } from '#libs/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BASE, POST, processesWith, RemoteBuilds } from '../../support/remote-builds.js';

describe('a remote build', () => {
  let builds: RemoteBuilds;

  beforeAll(async () => {
    builds = await RemoteBuilds.start();
  });
  afterAll(() => builds.stop());

  const submit = (text: string, libraryRef?: string): Promise<string> => builds.submit(text, libraryRef);
  const logOf = (id: string, onText?: (text: string) => void): Promise<string> => builds.logOf(id, onText);
  const leftovers = () => builds.leftovers();

  it('becomes an image in the library, with a live log and a checksum', async () => {
    await writeFile(join(builds.folder, 'hello'), 'hello\n');
    const id = await submit(
      `${BASE}hello /hello\n${POST}echo from post > /made\n%labels\nA b\n`,
      'library://admin/demo/built:1,2',
    );
    const log = await logOf(id);
    expect(log).toMatch(/^INFO:    A worker has the build; it may take 60 minutes\nINFO:    /);
    expect(log).toContain('+ line 7: ');
    const status = await builds.builder.status(id);
    expect(status).toMatchObject({
      status: 'Complete',
      isComplete: true,
      libraryRef: 'library://admin/demo/built:1,2',
    });
    for (const tag of ['1', '2']) {
      const image = await builds.library.image({ path: 'admin/demo/built', tag, arch: status.arch });
      expect(image).toMatchObject({ hash: status.imageChecksum, size: status.imageSize, uploaded: true });
      const destination = join(builds.folder, `image-${tag}.sif`);
      await pullImage(builds.library, { image, path: 'admin/demo/built', destination });
      const bytes = await readFile(destination);
      expect(`sha256.${createHash('sha256').update(bytes).digest('hex')}`).toBe(status.imageChecksum);
    }
    expect(await leftovers()).toEqual([]);
  });

  it('builds on an image of the library', async () => {
    await logOf(await submit(`${BASE}${POST}`, 'library://admin/demo/base:1'));
    const id = await submit('bootstrap: library\nfrom: admin/demo/base:1\n%post\ntest -x /bin/busybox\n');
    expect(await logOf(id)).toContain('Pulling the base admin/demo/base:1');
    expect(await builds.builder.status(id)).toMatchObject({
      isComplete: true,
      libraryRef: `library://admin/remote-builds/rb-${id}:latest`,
    });
    expect((await builds.builder.status(id)).imageSize).toBeGreaterThan(0);
  });

  it('that fails says step, line and exit status, and leaves nothing', async () => {
    // What goes on in the background says its line when it comes to it.
    const isThere = 'until pidof sleep; do true; done';
    const id = await submit(`${BASE}${POST}(sleep 98765 &)\n${isThere}\nexit 7\n`);
    const log = await logOf(id);
    expect(log).toContain('while running %post at line 9 of the definition: exit status 7');
    const status = await builds.builder.status(id);
    expect(status.imageSize).toBeUndefined();
    expect(status.failureReason).toContain('exit status 7');
    expect(await processesWith('98765')).toEqual([]);
    expect(await leftovers()).toEqual([]);
  });

  it('runs as nobody of this machine and sees nothing of it', async () => {
    const id = await submit(
      `${BASE}${POST}cat /proc/self/uid_map /proc/1/cmdline\nls -d ${builds.app.home} || echo hidden\nls /proc | grep -c '^[0-9]'\n`,
    );
    const log = await logOf(id);
    expect(log).toContain('hidden');
    // The host's root is nowhere in the map.
    expect(log).not.toMatch(/^ +0 +0 /m);
  });

  it('that is cancelled ends at once, with every process of it', async () => {
    const id = await submit(`${BASE}${POST}sleep 87654\n`);
    let cancelled: Promise<void> | undefined;
    const log = await logOf(id, (text) => {
      if (text.includes('sleep 87654')) cancelled ??= builds.builder.cancel(id);
    });
    await cancelled;
    expect(log).toContain('Build cancelled.');
    await expect.poll(() => processesWith('87654'), { timeout: 5000 }).toEqual([]);
    await expect.poll(leftovers, { timeout: 5000 }).toEqual([]);
    expect((await builds.builder.status(id)).status).toBe('Cancelled');
  });

  it.each([
    ['a missing source', 'bootstrap: library\nfrom: admin/demo/nothing:9\n', 'does not exist in the library'],
    ['a %test that fails', `${BASE}${POST}%test\nexit 3\n`, 'failed to execute %test script: exit status 3'],
    ['no shell for %post', 'bootstrap: scratch\n%post\ntrue\n', '%post needs /bin/sh'],
  ])('with %s fails with the reason', async (_, text, reason) => {
    expect(await logOf(await submit(text))).toContain(reason);
  });
});

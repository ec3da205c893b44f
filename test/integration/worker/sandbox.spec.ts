import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sing } from '#apps/sing/src/program';
import { run } from '#libs/cli';
import { BASE, POST } from '../../support/remote-builds.js';
import { temporaryFolder } from '../../support/temporary.js';

describe('sing build --sandbox', () => {
  let folder: string;
  let remove: () => Promise<void>;
  const build = (...words: string[]) =>
    run(sing, ['build', ...words], { cwd: folder, env: { HOME: folder, TMPDIR: folder } });
  const made = async (...words: string[]) => {
    const { status, stderr } = await build('--sandbox', ...words);
    expect([status, stderr]).toEqual([0, expect.stringContaining('Build complete')]);
  };

  beforeEach(async () => {
    ({ path: folder, remove } = await temporaryFolder());
    await chmod(folder, 0o755);
    await writeFile(join(folder, 'x.def'), `${BASE}${POST}echo one > /made\n`);
  });
  afterEach(() => remove());

  it('makes a folder that its caller owns, from which an image can be built', async () => {
    await made('box', 'x.def');
    expect(await readFile(join(folder, 'box/made'), 'utf8')).toBe('one\n');
    const { mode, uid } = await stat(join(folder, 'box'));
    expect([mode & 0o777, uid]).toEqual([0o755, process.getuid?.()]);
    expect(await readdir(join(folder, 'box/.singularity.d'))).toContain('runscript');
    await writeFile(join(folder, 'box/changed'), 'by hand');
    // A build of root reads its base as somebody else.
    execFileSync('chmod', ['-R', 'a+rX', join(folder, 'box')]);
    const again = await build('again.sif', 'box');
    expect([again.status, again.stderr]).toEqual([0, expect.stringContaining('Build complete')]);
    await made('second', 'again.sif');
    expect(await readFile(join(folder, 'second/changed'), 'utf8')).toBe('by hand');
    expect((await readdir(folder)).filter((name) => name.startsWith('.sing-'))).toEqual([]);
  });

  it('replaces a container with --force alone, and no other folder at all', async () => {
    await made('box', 'x.def');
    await writeFile(join(folder, 'box/mine'), '');
    const asked = await build('--sandbox', 'box', 'x.def');
    expect([asked.status, asked.stderr]).toEqual([255, expect.stringContaining('Answer with --force')]);
    await made('--force', 'box', 'x.def');
    expect(await readdir(join(folder, 'box'))).not.toContain('mine');

    await mkdir(join(folder, 'papers'));
    await writeFile(join(folder, 'papers/thesis'), 'precious');
    const refused = await build('--force', '--sandbox', 'papers', 'x.def');
    expect([refused.status, refused.stderr]).toEqual([255, expect.stringContaining('but no container')]);
    expect(await readFile(join(folder, 'papers/thesis'), 'utf8')).toBe('precious');
  });

  it('leaves the old one as it was when the build fails', async () => {
    await made('box', 'x.def');
    await writeFile(join(folder, 'bad.def'), `${BASE}${POST}exit 3\n`);
    expect((await build('--force', '--sandbox', 'box', 'bad.def')).status).toBe(255);
    expect(await readFile(join(folder, 'box/made'), 'utf8')).toBe('one\n');
    expect((await readdir(folder)).filter((name) => name.startsWith('.sing-'))).toEqual([]);
  });
});

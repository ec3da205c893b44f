import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { skipContainers } from '../support/containers.js';
import { lacking, skipped } from '../support/needs.js';

const SOAK = fileURLToPath(new URL('../../scripts/soak.mjs', import.meta.url));
const run = promisify(execFile);

/** The first steps of the soak on the compiled server (npm run build; scripts/test sees to it). `npm run soak` takes many more. */
describe('a soak', () => {
  const soak = async (...words: string[]) =>
    (await run(process.execPath, [SOAK, ...words], { env: { PATH: process.env.PATH } })).stdout;

  it('of uploads and downloads that are cut', async () => {
    const said = await soak('--only', 'uploads,downloads', '--uploads', '20', '--downloads', '20');
    expect(said).toMatch(/^uploads: 20 cut, .* ok$/m);
    expect(said).toMatch(/^downloads: 20 cut, .* ok$/m);
  }, 120_000);

  it('of a server that is killed while files are pushed', async () => {
    expect(await soak('--only', 'kills', '--kills', '3')).toMatch(/^kills: 3 kills, .* ok$/m);
  }, 180_000);

  it('of many who bring the same key, and a server that is killed while keys come', async () => {
    expect(await soak('--only', 'keys', '--keys', '100')).toMatch(/^keys: 10 brought .* ok$/m);
  }, 180_000);

  it('of tokens that end: every service, in a process of its own, refuses them within a second', async () => {
    const said = await soak('--only', 'revocations', '--revocations', '10');
    expect(said).toMatch(/^revocations: 10 tokens ended · .* ok$/m);
    process.stdout.write(said);
  }, 60_000);

  it('of tokens that are none: always refused, and nothing of them is kept', async () => {
    const said = await soak('--only', 'tokens', '--tokens', '1000');
    expect(said).toMatch(/^tokens: 1000 broken tokens of \d+ kinds refused · .* ok$/m);
    process.stdout.write(said);
  }, 120_000);

  it.each(['push-kills', 'pull-kills'])(
    'of %s: client or server, in the middle of it',
    async (stage) => {
      // More than one part of a push, and more than the ranges that are on the way at once.
      const said = await soak('--only', stage, `--${stage}`, '20', '--size', '80');
      process.stdout.write(said);
      expect(said).toMatch(new RegExp(`^${stage}: 20 kills, .* ok$`, 'm'));
    },
    240_000,
  );

  it('of a library in which several change the same things while it is killed', async () => {
    const said = await soak('--only', 'library-operations', '--library-operations', '50');
    process.stdout.write(said);
    expect(said).toMatch(/^library-operations: 50 operations, .* 0 bytes of difference · .* ok$/m);
  }, 120_000);

  it('of clients that hang up, and of some that read slowly: little memory, and nothing is left', async () => {
    const said = await soak('--only', 'library-hangups', '--library-hangups', '1000');
    process.stdout.write(said);
    expect(said).toMatch(/^library-hangups: 1000 hung up, .*, 100 read slowly .* ok$/m);
  }, 240_000);

  const noDisk = lacking('unshare');
  it.skipIf(noDisk)(
    `of a disk that is full${skipped(noDisk)}`,
    async () => {
      expect(await soak('--only', 'full', '--full', '2')).toMatch(/^full: 2 times full, .* ok$/m);
    },
    120_000,
  );

  it.skipIf(noDisk)(
    `of a disk that is full, and has the database alone${skipped(noDisk)}`,
    async () => {
      const said = await soak('--only', 'full-database', '--full-database', '2');
      expect(said).toMatch(/^full-database: 2 times full, .* ok$/m);
    },
    120_000,
  );

  const noContainers = whyNoContainers();
  it.skipIf(noContainers)(
    `of starts of containers, in every way and with kills at any moment: nothing is left${skipped(noContainers)}`,
    async () => {
      const words = ['--starts', '20', '--start-kills', '40'];
      const said = await soak('--only', 'starts,start-kills', ...words);
      process.stdout.write(said);
      expect(said).toMatch(/^starts: \d+ ways: \d+ starts in a row, \d+ at once, nothing left.* ok$/m);
      expect(said).toMatch(
        /^start-kills: 40 kills \(.*\) in \d+ ways, \d+ files kept, nothing lost or left.* ok$/m,
      );
    },
    240_000,
  );

  const reason = lacking('redis-server', 'busybox');
  it.skipIf(reason)(
    `of builds that are cancelled${skipped(reason)}`,
    async () => {
      expect(await soak('--only', 'builds', '--builds', '6')).toMatch(/^builds: 6 builds: .* ok$/m);
    },
    180_000,
  );
});

/** Why the stages of containers cannot run here: they do in namespaces of their own, with a /proc. */
function whyNoContainers(): string | undefined {
  const reason = skipContainers() ? 'containers cannot be started' : lacking('unshare', 'mksquashfs');
  if (reason !== undefined || process.env['SING_MUST_WORK'] === '1') return reason;
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-current-user', '--keep-caps'];
  const words = [...user, '--mount', '--pid', '--fork', 'mount', '-t', 'proc', 'proc', '/proc'];
  return spawnSync('unshare', words).status === 0 ? undefined : 'no /proc can be mounted in a PID namespace';
}

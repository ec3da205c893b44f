import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openDocuments } from '#libs/documents';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Feed } from '../../libs/documents/src/testing/feed.js';
import { thingsSpec } from '../../libs/documents/src/testing/things.js';
import { skipped } from '../support/needs.js';
import { startScript } from '../support/script.js';
import { temporaryFolder } from '../support/temporary.js';

const run = promisify(execFile);
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Why a test cannot have a file system of its own here. */
async function lackingNamespaces(): Promise<string | undefined> {
  if (process.env['SING_MUST_WORK'] === '1') return undefined;
  return run('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt']).then(
    () => undefined,
    () => 'user namespaces are not open to this user',
  );
}

describe('a SQLite database whose disk is full', async () => {
  const reason = await lackingNamespaces();
  it.skipIf(reason)(
    `refuses the write, keeps the others and goes on when there is room${skipped(reason)}`,
    async () => {
      const node = [
        process.execPath,
        '--conditions=source',
        '--experimental-transform-types',
        `--import=${here('../support/typescript-hooks.mjs')}`,
        here('../support/documents-full.script.ts'),
      ];
      const script = 'mount -t tmpfs -o size=6m none /mnt && exec "$@" /mnt';
      const { stdout } = await run('unshare', ['-rm', 'sh', '-c', script, 'sh', ...node]);
      const [refused = '', again] = stdout.split('\n');
      const [, code, acknowledged, there] = refused.split(' ');
      expect(code).toBe('out_of_space');
      expect(Number(acknowledged)).toBeGreaterThan(10);
      expect(there).toBe(acknowledged);
      expect(again).toBe('again inserted');
    },
  );
});

describe('a SQLite database whose process is killed', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeAll(async () => {
    folder = await temporaryFolder();
  });
  afterAll(() => folder.remove());

  it('has everything that was acknowledged, and no half commit, each time', async () => {
    const acknowledged = { feed: 0, puts: new Set<string>() };
    for (const lines of [1, 40, 150, 333]) {
      const script = startScript('documents-writer.script.ts', [folder.path]);
      await script.line((line) => line === 'ready');
      await script.line(() => script.lines.length > lines);
      await script.end('SIGKILL');
      for (const line of script.lines) {
        const [kind, number] = line.split(' ');
        if (kind === 'feed') acknowledged.feed = Math.max(acknowledged.feed, Number(number));
        if (kind === 'put') acknowledged.puts.add(`p${number}`);
      }

      const documents = await openDocuments(`sqlite:${folder.path}`, { service: 'kill' });
      const things = documents.collection(thingsSpec('things'));
      const feed = new Feed(documents);
      const lost: string[] = [];
      for (const id of acknowledged.puts) if ((await things.get(id)) === undefined) lost.push(id);
      expect(lost).toEqual([]);
      const head = await feed.head();
      expect(head).toBeGreaterThanOrEqual(acknowledged.feed);
      expect(await feed.after(0)).toEqual(Array.from({ length: head }, (_, n) => n + 1));
      await documents.close();
    }
    expect(acknowledged.puts.size).toBeGreaterThan(100);
  });

  it('is free for the next process at once, and for no second one before', async () => {
    const script = startScript('documents-writer.script.ts', [folder.path]);
    await script.line((line) => line === 'ready');
    await expect(openDocuments(`sqlite:${folder.path}`, { service: 'kill' })).rejects.toMatchObject({
      reason: 'database_in_use',
      message: expect.stringContaining(`process ${script.child.pid}`),
    });
    await script.end('SIGKILL');
    await (await openDocuments(`sqlite:${folder.path}`, { service: 'kill' })).close();
  });
});

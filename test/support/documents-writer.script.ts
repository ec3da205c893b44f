/**
 * Writes to a SQLite database until it is killed. `documents-writer.script.ts <folder>` prints `ready`, then the number of
 * every feed entry and `put <n>` for every document, once it is acknowledged.
 */
import { openDocuments } from '#libs/documents';
import { Feed } from '../../libs/documents/src/testing/feed.js';
import { thing, thingsSpec } from '../../libs/documents/src/testing/things.js';

const [folder = ''] = process.argv.slice(2);
const documents = await openDocuments(`sqlite:${folder}`, { service: 'kill' });
const things = documents.collection(thingsSpec('things'));
const feed = new Feed(documents);
await documents.ready();
process.stdout.write('ready\n');

const note = 'x'.repeat(10_000);
const first = (await feed.head()) * 1000;

async function appendForEver(): Promise<never> {
  for (;;) process.stdout.write(`feed ${await feed.append('child')}\n`);
}

async function putForEver(lane: number): Promise<never> {
  for (let n = first + lane; ; n += 10) {
    await things.put(`p${n}`, thing({ count: n, note }));
    process.stdout.write(`put ${n}\n`);
  }
}

await Promise.all([appendForEver(), appendForEver(), ...[0, 1, 2, 3].map(putForEver)]);

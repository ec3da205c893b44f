/**
 * Writes to the audit trail of a SQLite database until it is killed. `audit-writer.script.ts <folder> <key> <name>` prints `ready`,
 * then the subject of every entry once it is acknowledged. The key (a private JWK) signs the heads.
 */
import { openDocuments } from '#libs/documents';
import { tagSet, TrailWorld } from '../../libs/audit/src/testing/trail-world.js';

const [folder = '', key = '', name = ''] = process.argv.slice(2);
const documents = await openDocuments(`sqlite:${folder}`, { service: 'library' });
const world = await TrailWorld.open(documents, { folder, key: JSON.parse(key) as never });
await world.chainer.start();
process.stdout.write('ready\n');

async function writeForEver(lane: number): Promise<never> {
  for (let n = lane; ; n += 4) {
    const subject = { kind: 'tag', name: `ann/tools/blast:${name}-${n}` } as const;
    world.chainer.note();
    await world.trail.record(tagSet(n, { subject }));
    process.stdout.write(`${subject.name}\n`);
  }
}

await Promise.all([0, 1, 2, 3].map(writeForEver));

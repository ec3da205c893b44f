import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDocuments } from '#libs/documents';
import { newKey, TrailWorld } from '../../libs/audit/src/testing/trail-world.js';
import { startScript } from '../support/script.js';
import { temporaryFolder } from '../support/temporary.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

it('what a killed process acknowledged is in the chain after the next start, once, and the trail is whole', async () => {
  const key = await newKey();
  const acknowledged = new Set<string>();
  let waited = 0;
  for (const lines of [1, 40, 200, 701]) {
    const script = startScript('audit-writer.script.ts', [folder.path, JSON.stringify(key), `r${lines}`]);
    await script.line((line) => line === 'ready');
    await script.line(() => script.lines.length > lines);
    await script.end('SIGKILL');
    for (const line of script.lines) if (line !== 'ready') acknowledged.add(line);

    const documents = await openDocuments(`sqlite:${folder.path}`, { service: 'library' });
    const world = await TrailWorld.open(documents, { folder: folder.path, key });
    waited += (await world.inbox.scan('byTime', { limit: 1000 })).items.length;
    await world.chainer.start();
    await world.chainer.stop();
    const report = await world.verify();
    expect(report.problems).toEqual([]);
    expect(report.signedUpTo).toBe(report.last.sequence);
    expect(world.warnings).toEqual([]);
    const names: string[] = [];
    for await (const { subject } of world.source().entries(0)) names.push(subject.name);
    expect(new Set(names).size).toBe(names.length);
    expect([...acknowledged].filter((name) => !names.includes(name))).toEqual([]);
    await documents.close();
  }
  // Otherwise no crash came between a commit and the chain, and nothing was tested.
  expect(waited).toBeGreaterThan(0);
});

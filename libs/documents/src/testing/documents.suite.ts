import { afterAll, beforeAll } from 'vitest';
import { basicsSuite } from './basics.suite.js';
import { commitSuite } from './commit.suite.js';
import { modelSuite } from './model.suite.js';
import { scanSuite } from './scan.suite.js';
import type { Subject } from './things.js';

/**
 * What every driver does, and does in the same way. `make` gives an empty database; `runs` is for the random part.
 * To be called inside a describe.
 */
export function documentsSuite(
  make: () => Promise<Subject & { readonly close: () => Promise<void> }>,
  { runs }: { readonly runs: number },
): void {
  let subject: Awaited<ReturnType<typeof make>>;
  beforeAll(async () => {
    subject = await make();
  });
  afterAll(() => subject.close());
  const get = (): Subject => subject;
  basicsSuite(get);
  scanSuite(get);
  commitSuite(get);
  modelSuite(get, runs);
}

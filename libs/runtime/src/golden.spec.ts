import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GOLDEN_CASES, goldenText } from './testing/goldenCases.js';

// The plans that reviewers read: a change of policy shows up here. `vitest run -u` rewrites them.
describe('golden plans', () => {
  it.each(GOLDEN_CASES)('$name is decided as written down', async (golden) => {
    await expect(goldenText(golden)).toMatchFileSnapshot(
      resolve(import.meta.dirname, `../../../test/fixtures/plans/${golden.name}.json`),
    );
  });
});

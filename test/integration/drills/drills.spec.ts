import { beforeAll, describe, expect, it } from 'vitest';
import { type DrillResult, runDrill } from '../../support/drills.js';
import { lacking, skipped } from '../../support/needs.js';

const LONG = 120_000;

/** What `npm run drills` runs (docs/guide/drills.md), on the compiled programs (npm run build; scripts/test sees to it). */
describe('a drill', () => {
  /** It waits most of its time. */
  let feed: Promise<DrillResult>;
  beforeAll(() => {
    feed = runDrill('feed');
  });

  const expectPassed = (name: string, { status, stdout }: DrillResult): void => {
    expect(stdout).toMatch(new RegExp(`^${name}: .* ok$`, 'm'));
    expect(status).toBe(0);
  };

  it(
    'of claims in headers',
    async () => {
      expectPassed('headers', await runDrill('headers'));
    },
    LONG,
  );

  it(
    'of somebody who answers in the place of auth',
    async () => {
      expectPassed('feed', await feed);
    },
    LONG,
  );

  const reason = lacking('redis-server');
  describe.skipIf(reason)(`with a queue${skipped(reason)}`, () => {
    it.each([
      ['the secrets of one service', 'secrets'],
      ['jobs that somebody puts into Redis', 'jobs'],
      ['addresses and tokens that are good for one thing', 'addresses'],
      ['a signing key that has leaked', 'retire'],
    ])(
      'of %s',
      async (_, name) => {
        expectPassed(name, await runDrill(name));
      },
      LONG,
    );
  });
});

import { beforeAll, describe, expect, it } from 'vitest';
import { type DrillResult, runDrill } from '../../support/drills.js';
import { lacking, skipped } from '../../support/needs.js';

const LONG = 120_000;

/** What `npm run drills` runs (docs/guide/drills.md), on the compiled programs (npm run build; scripts/test sees to it). */
describe('a drill', () => {
  const reason = lacking('redis-server');

  /** These wait most of their time: one after the other, beside the rest. */
  const begun = new Map<string, Promise<DrillResult>>();
  beforeAll(() => {
    const feed = runDrill('feed');
    begun.set('feed', feed);
    if (reason === undefined)
      begun.set(
        'retire',
        feed.then(() => runDrill('retire')),
      );
  });

  const passed = (name: string): RegExp => new RegExp(`^${name}: .* ok$`, 'm');

  it(
    'of claims in headers',
    async () => {
      const { status, stdout } = await runDrill('headers');
      expect(stdout).toMatch(passed('headers'));
      expect(status).toBe(0);
    },
    LONG,
  );

  describe.skipIf(reason)(`with a queue${skipped(reason)}`, () => {
    it.each([
      ['the secrets of one service', 'secrets'],
      ['jobs that somebody puts into Redis', 'jobs'],
      ['addresses and tokens that are good for one thing', 'addresses'],
      ['a signing key that has leaked', 'retire'],
    ])(
      'of %s',
      async (_, name) => {
        const { status, stdout } = await (begun.get(name) ?? runDrill(name));
        expect(stdout).toMatch(passed(name));
        expect(status).toBe(0);
      },
      LONG,
    );
  });

  it(
    'of somebody who answers in the place of auth',
    async () => {
      const { status, stdout } = await (begun.get('feed') ?? runDrill('feed'));
      expect(stdout).toMatch(passed('feed'));
      expect(status).toBe(0);
    },
    LONG,
  );
});

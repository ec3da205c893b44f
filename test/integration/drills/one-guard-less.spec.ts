import { beforeAll, describe, expect, it } from 'vitest';
import { checkoutWithout, type Removal, runDrill } from '../../support/drills.js';
import { lacking, skipped } from '../../support/needs.js';

const LONG = 120_000;

interface Gap {
  readonly drill: string;
  readonly removals: readonly Removal[];
  /** What the drill says then. */
  readonly says: RegExp;
}

/** Guards that are taken out, by what is so no more. The last removal of some makes that nobody waits as long as in an instance. */
const GAPS: Readonly<Record<string, Gap>> = {
  'a token is needed': {
    drill: 'headers',
    removals: [
      {
        file: 'libs/server/src/auth/guard.js',
        guard: 'throw credentialsMissing();',
        gap: 'return undefined;',
      },
    ],
    says: /Expected 401 for (GET|POST) \S+ from this machine without a token, got/,
  },
  'changes need fresh revocations': {
    drill: 'feed',
    removals: [
      { file: 'libs/server/src/auth/verifier.js', guard: 'if (this.fresh)', gap: 'if (true)' },
      { file: 'libs/server/src/auth/limits.js', guard: 'feedStaleMs: 10_000', gap: 'feedStaleMs: 1_000' },
    ],
    says: /Expected no change while revocations are not known/,
  },
  'a worker starts what its instance has added': {
    drill: 'jobs',
    removals: [{ file: 'libs/queue/src/jobs.js', guard: 'return undefined;', gap: 'return data;' }],
    says: /Expected .* for (processes for|the records of builds after) the id of another build, got/,
  },
  'an upload address is signed': {
    drill: 'addresses',
    removals: [
      {
        file: 'apps/library/src/uploads/uploadUrls.js',
        guard: '!timingSafeEqual(given, right)',
        gap: 'false',
      },
    ],
    says: /Expected 403 for an upload address with another/,
  },
  'tickets are for workers': {
    drill: 'secrets',
    removals: [
      { file: 'apps/builder/src/worker-proof.js', guard: "if (service === 'worker')", gap: 'if (true)' },
    ],
    says: /Expected 401 for a ticket for builder, got 200/,
  },
  'a retired key signs nothing': {
    drill: 'retire',
    removals: [
      {
        file: 'libs/server/src/auth/key-ring.js',
        guard: 'this.#announced?.has(kid))));',
        gap: 'true)));',
      },
      {
        file: 'apps/auth/src/limits.js',
        guard: 'signingKeyAnnounceMs: 4_000',
        gap: 'signingKeyAnnounceMs: 1_500',
      },
    ],
    says: /Expected no acceptance of a token of a person at/,
  },
};

/** A drill that cannot fail proves nothing: with one guard taken out of the compiled programs each of them has to. */
describe('a drill fails when no longer', () => {
  const run = async ({ drill, removals }: Gap) => {
    const checkout = await checkoutWithout(...removals);
    try {
      return await runDrill(drill, checkout.path);
    } finally {
      await checkout.remove();
    }
  };
  const reason = lacking('redis-server');
  const gaps = Object.entries(GAPS);
  const needsQueue = ({ drill }: Gap): boolean => !['headers', 'feed'].includes(drill);

  /** These wait most of their time. */
  const begun = new Map<string, ReturnType<typeof run>>();
  beforeAll(() => {
    for (const [, gap] of gaps)
      if (gap.drill === 'feed' || (gap.drill === 'retire' && reason === undefined))
        begun.set(gap.drill, run(gap));
  });

  it.each(gaps.filter(([, gap]) => !needsQueue(gap)))(
    '%s',
    async (_, gap) => {
      const { status, stdout } = await (begun.get(gap.drill) ?? run(gap));
      expect(stdout).toMatch(gap.says);
      expect([status, stdout.split(':')[0]]).toEqual([1, gap.drill]);
    },
    LONG,
  );

  it.skipIf(reason).each(gaps.filter(([, gap]) => needsQueue(gap)))(
    `%s${skipped(reason)}`,
    async (_, gap) => {
      const { status, stdout } = await (begun.get(gap.drill) ?? run(gap));
      expect(stdout).toMatch(gap.says);
      expect([status, stdout.split(':')[0]]).toEqual([1, gap.drill]);
    },
    LONG,
  );
});

import { describe, expect, it, onTestFinished } from 'vitest';
import { checkoutWithout, type Removal, runDrill } from '../../support/drills.js';
import { lacking, skipped } from '../../support/needs.js';

const LONG = 120_000;

/** A drill that cannot fail proves nothing: with one guard taken out of the compiled programs each of them has to. */
describe('with one guard less', () => {
  const failure = async (name: string, ...removals: Removal[]): Promise<string> => {
    const checkout = await checkoutWithout(...removals);
    onTestFinished(checkout.remove);
    const { status, stdout } = await runDrill(name, checkout.path);
    expect(status).toBe(1);
    return stdout;
  };

  it(
    'of tokens, routes are open: the drill of headers says which',
    async () => {
      const said = await failure('headers', {
        file: 'libs/server/src/auth/guard.js',
        guard: 'throw credentialsMissing();',
        gap: 'return undefined;',
      });
      expect(said).toMatch(
        /^headers: FAILED .* Expected 401 for (GET|POST) \S+ from this machine without a token, got/m,
      );
    },
    LONG,
  );

  it(
    'of fresh revocations, changes go on: the drill of the feed says so',
    async () => {
      const said = await failure(
        'feed',
        {
          file: 'libs/server/src/auth/verifier.js',
          guard: 'if (this.fresh)',
          gap: 'if (true)',
        },
        // Not waited for as long as in an instance.
        {
          file: 'libs/server/src/auth/limits.js',
          guard: 'feedStaleMs: 10_000',
          gap: 'feedStaleMs: 1_000',
        },
      );
      expect(said).toMatch(/^feed: FAILED .* Expected no change while revocations are not known/m);
    },
    LONG,
  );

  const reason = lacking('redis-server');
  describe.skipIf(reason)(`with a queue${skipped(reason)}`, () => {
    it.each<[string, string, Removal, RegExp]>([
      [
        'of jobs, strange ones are started',
        'jobs',
        {
          file: 'libs/queue/src/jobs.js',
          guard: 'return undefined;',
          gap: 'return data;',
        },
        /Expected .* for (processes|the records of builds after) .*, got/,
      ],
      [
        'of signatures, any upload address is taken',
        'addresses',
        {
          file: 'apps/library/src/uploadUrls.js',
          guard: '!timingSafeEqual(given, right)',
          gap: 'false',
        },
        /Expected 403 for an upload address with another/,
      ],
      [
        'of proofs, one service is another',
        'secrets',
        {
          file: 'apps/builder/src/worker-proof.js',
          guard: "if (service === 'worker')",
          gap: 'if (true)',
        },
        /Expected 401 for a ticket for builder, got 200/,
      ],
      [
        'of retired keys, the stolen one goes on',
        'retire',
        {
          file: 'libs/server/src/auth/key-ring.js',
          guard: 'this.#announced?.has(kid))));',
          gap: 'true)));',
        },
        /Expected no acceptance of a token of a person at/,
      ],
    ])(
      '%s: the drill of %s says so',
      async (_, name, removal, message) => {
        expect(await failure(name, removal)).toMatch(message);
      },
      LONG,
    );
  });
});

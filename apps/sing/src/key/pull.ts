import { defineCommand } from '#libs/cli';
import { DomainError, expected } from '#libs/core';
import { globalRingFlag, KEY_FAILURE, openRing, titleOf } from './ring.js';
import { askInOrder, searchText, urlFlag } from './server.js';

export const keyPull = defineCommand({
  name: 'pull',
  summary: 'fetch a public key from the key server into your key ring',
  failureStatus: KEY_FAILURE,
  positionals: [{ name: 'fingerprint', summary: 'fingerprint or key id' }],
  flags: { ...globalRingFlag, ...urlFlag },
  examples: [
    {
      line: 'sing key pull 7605BC2716168DF057D6C600ACEEC62C8BD91BEE',
      summary: 'fetch the key that somebody signs with',
    },
  ],
  async run(ctx) {
    // Before anything is asked: may it be changed at all?
    const ring = await openRing(ctx, { global: ctx.flags.global, change: true });
    const search = searchText(ctx.args.fingerprint);
    if (!search.startsWith('0x')) {
      throw new DomainError(
        'bad_request',
        expected('a fingerprint (40 or 64 hexadecimal digits) or key id (16 or 8)', 'the key', search),
        { remedy: `Find it: sing key search ${search}`, exitCode: KEY_FAILURE },
      );
    }
    const { isSecret, matchesKey, parseKeyQuery, readKeys } = await import('#libs/pgp');
    const { KeystoreClient } = await import('#libs/client');
    const query = parseKeyQuery(search);
    const found = await askInOrder(ctx, ctx.flags.url, async (http) => {
      const answer = await new KeystoreClient(http).get(search.toLowerCase(), { signal: ctx.signal });
      if (answer === undefined) return undefined;
      // A server that answers with another key than was asked for must not get it into the ring.
      const keys = (await readKeys(answer)).filter((each) => !isSecret(each) && matchesKey(each, query));
      if (keys.length > 0) return keys;
      throw new DomainError('unavailable', 'The key server answered with another key than was asked for', {
        reason: 'wrong_key',
      });
    });
    const [key, second] = found ?? [];
    if (key === undefined) {
      throw new DomainError('not_found', `The key server has no key ${ctx.args.fingerprint}`, {
        reason: 'key_not_found',
      });
    }
    if (second !== undefined) {
      throw new DomainError('conflict', `More than one key has the id ${ctx.args.fingerprint}`, {
        reason: 'ambiguous_key',
        remedy: 'Ask for the whole fingerprint',
      });
    }
    const [outcome] = await ring.import([key]);
    const words = {
      added: 'fetched',
      updated: 'brought up to date',
      unchanged: 'already there and up to date',
    };
    ctx.log.info(`Public key of ${await titleOf(key)}: ${words[outcome?.status ?? 'unchanged']}`);
  },
});

import { defineCommand } from '#libs/cli';
import { KEY_FAILURE, openKeyRing, titleOf } from './ring.js';
import { urlFlag, withKeystore } from './server.js';

export const keyPush = defineCommand({
  name: 'push',
  summary: 'send a public key to the key server',
  failureStatus: KEY_FAILURE,
  positionals: [{ name: 'key', summary: 'fingerprint, key id or part of the user id' }],
  flags: urlFlag,
  examples: [{ line: 'sing key push ann@example.org', summary: 'let others verify what you sign' }],
  async run(ctx) {
    const { armorKey, findKey } = await import('#libs/pgp');
    const ring = await openKeyRing(ctx);
    const key = findKey(await ring.keys('public'), ctx.args.key);
    const said = await withKeystore(ctx, ctx.flags.url, (keystore, session, server) => {
      if (server.own) session.requireToken();
      return keystore.add(armorKey(key), { signal: ctx.signal });
    });
    if (said !== '') ctx.log.verbose(`The key server says: ${said}`);
    const { warnOfEnd } = await import('./ending.js');
    await warnOfEnd(ctx, key);
    ctx.log.info(`Public key of ${await titleOf(key)} pushed.`);
  },
});

import { defineCommand, jsonFlag, printable, UsageError } from '#libs/cli';
import { globalRingFlag, openKeyRing, openRing } from './ring.js';

export const keyList = defineCommand({
  name: 'list',
  summary: 'list the keys of your key ring',
  flags: {
    secret: {
      type: 'boolean',
      short: 's',
      aliases: ['private'],
      summary: 'private keys instead of public ones',
    },
    ...globalRingFlag,
    ...jsonFlag,
  },
  async run(ctx) {
    const { describeKey } = await import('#libs/pgp');
    const { global, secret } = ctx.flags;
    if (global && secret) throw new UsageError('key list', 'private keys are never for all users');
    const ring = await openRing(ctx, { global, change: false });
    const kind = secret ? 'secret' : 'public';
    const [keys, secrets] = await Promise.all([ring.keys(kind), (await openKeyRing(ctx)).keys('secret')]);
    const own = new Set(secrets.map(({ key }) => key.getFingerprint().toUpperCase()));
    const now = new Date();
    const infos = await Promise.all(keys.map((key) => describeKey(key, now)));
    if (ctx.flags.json) {
      ctx.out.json({
        keys: infos.map((info) => ({
          fingerprint: info.fingerprint,
          userIds: info.userIds,
          algorithm: info.algorithm,
          created: info.created.toISOString(),
          expires: info.expires?.toISOString() ?? null,
          revoked: info.revoked,
          secret: own.has(info.fingerprint),
        })),
      });
      return;
    }
    ctx.out.line(`${kind === 'secret' ? 'Private' : 'Public'} key listing (${ring.path(kind)}):`);
    for (const [index, info] of infos.entries()) {
      ctx.out.line();
      const [first = '(no user id)', ...others] = info.userIds.map(printable);
      ctx.out.line(`${index}) User id:     ${first}`);
      for (const other of others) ctx.out.line(`                ${other}`);
      ctx.out.line(`   Fingerprint: ${info.fingerprint}`);
      ctx.out.line(`   Algorithm:   ${info.algorithm}`);
      ctx.out.line(`   Created:     ${info.created.toISOString().slice(0, 10)}`);
      if (info.expires !== null) {
        const past = info.expires <= now ? ' (expired)' : '';
        ctx.out.line(`   Expires:     ${info.expires.toISOString().slice(0, 10)}${past}`);
      }
      if (info.revoked) ctx.out.line('   Revoked');
      if (kind === 'public' && own.has(info.fingerprint)) ctx.out.line('   You have the private key');
    }
    const { warnOfEnds } = await import('./ending.js');
    const mine = keys.filter((_, index) => own.has(infos[index]?.fingerprint ?? ''));
    await warnOfEnds(ctx, mine, () => true);
    if (infos.length === 0)
      ctx.log.info(
        global
          ? 'There is no key yet that all users trust. As root: sing key import --global FILE'
          : 'There is no key yet. Make one: sing key newpair',
      );
  },
});

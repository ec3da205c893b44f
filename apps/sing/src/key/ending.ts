import type { Surroundings } from '#libs/cli';
import type { PgpKey } from '#libs/pgp';
import { openKeyRing } from './ring.js';

const DAY = 86_400_000;
/** As early as the keystore tells owners first. */
const SOON = 30 * DAY;

/** Says of a key that is being used that it ends within 30 days, or has ended, and what helps. */
export async function warnOfEnd(
  place: Pick<Surroundings, 'env' | 'cwd' | 'log'>,
  key: PgpKey,
): Promise<void> {
  const { fingerprintOf } = await import('#libs/pgp');
  const secrets = await (await openKeyRing(place)).keys('secret');
  const own = secrets.some((one) => fingerprintOf(one) === fingerprintOf(key));
  await warnOfEnds(place, [key], () => own);
}

/** The same of several keys. @param isOwn whether the private key is here, by the fingerprint */
export async function warnOfEnds(
  { log }: Pick<Surroundings, 'log'>,
  keys: readonly PgpKey[],
  isOwn: (fingerprint: string) => boolean,
): Promise<void> {
  const { describeKey } = await import('#libs/pgp');
  const now = new Date();
  for (const key of keys) {
    const { fingerprint, expires, revoked } = await describeKey(key, now);
    if (expires === null || revoked || expires.getTime() - now.getTime() > SOON) continue;
    const what = expires <= now ? 'ended' : 'ends';
    log.warning(
      `The key ${fingerprint} ${what} on ${expires.toISOString().slice(0, 10)}`,
      isOwn(fingerprint)
        ? `Give it a later end: gpg --quick-set-expire ${fingerprint} 1y, then sing key remove --secret, sing key import and sing key push`
        : 'Its owner can give it a later end; then: sing key refresh',
    );
  }
}

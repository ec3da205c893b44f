import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { printable, type Surroundings } from '#libs/cli';
import type { KeyRecord } from '#libs/contract';
import { DomainError, systemClock } from '#libs/core';
import type { PgpKey } from '#libs/pgp';
import { fingerprintFor, withKeys } from './keystore.js';
import { openKeyRing } from './ring.js';

/** Prints what is to be signed elsewhere. */
export async function printChallenge(place: Surroundings, key: string): Promise<void> {
  const fingerprint = await fingerprintFor(place, key);
  const { text } = await withKeys(place, (keys) => keys.challenge(fingerprint));
  place.out.line(text);
}

/** Proves that the person has a key: with the private key of the own ring, or with what was signed elsewhere. */
export async function claim(
  place: Surroundings,
  key: string,
  {
    signed,
    passphraseFile,
    json,
  }: { signed: string | undefined; passphraseFile: string | undefined; json: boolean },
): Promise<void> {
  const fingerprint = await fingerprintFor(place, key);
  const record = await withKeys(place, async (keys) => {
    if (signed !== undefined) return keys.claim(fingerprint, await readSigned(place, signed));
    // Before the ten minutes of the challenge begin: unlocking may need a person.
    const secret = await unlocked(place, fingerprint, passphraseFile);
    const { text } = await keys.challenge(fingerprint);
    const { clearSign } = await import('#libs/pgp');
    return keys.claim(fingerprint, (await clearSign(text, { key: secret, clock: systemClock })).toString());
  });
  place.log.info(`The key ${fingerprint} is yours on the key server.`);
  if (json) place.out.json(presentRecord(record));
}

/** Hides user ids, or lets them be shown again. */
export async function hide(
  place: Surroundings,
  key: string,
  userIds: readonly string[],
  { show, json }: { show: boolean; json: boolean },
): Promise<void> {
  const fingerprint = await fingerprintFor(place, key);
  const record = await withKeys(place, async (keys, session) => {
    const before = await keys.show(fingerprint);
    const hidden = before.details?.hidden ?? [];
    if (!show) return keys.hide(fingerprint, [...hidden, ...userIds.map((text) => shownHash(before, text))]);
    const own = await ownKey(place, fingerprint);
    const again = new Set(userIds.flatMap((text) => hiddenHashes(own, text)));
    const unknown = hidden.every((hash) => !again.has(hash));
    if (unknown) throw notHidden(userIds);
    await keys.hide(
      fingerprint,
      hidden.filter((hash) => !again.has(hash)),
    );
    if (own === undefined) {
      place.log.warning(
        'They may come again, but the key is not in your key ring: nobody has brought them yet',
        'Push the key from where it is',
      );
      return keys.show(fingerprint);
    }
    const { armorKey } = await import('#libs/pgp');
    await (await session.keystore()).add(armorKey(own), { signal: place.signal });
    return keys.show(fingerprint);
  });
  for (const { text } of record.userIds) place.log.info(`Shown: ${printable(text)}`);
  place.log.info(`Hidden: ${record.details?.hidden.length ?? 0}`);
  if (json) place.out.json(presentRecord(record));
}

/** Removes a key from the key server. */
export async function remove(
  place: Surroundings,
  key: string,
  { force, json }: { force: boolean; json: boolean },
): Promise<void> {
  const fingerprint = await fingerprintFor(place, key);
  const removed = await withKeys(place, async (keys) => {
    if (!force) {
      const message = `Remove the key ${fingerprint} from the key server?`;
      if (!(await place.prompts.confirm({ message, flag: '--force' }))) return undefined;
    }
    return keys.remove(fingerprint);
  });
  const said = {
    removed: `The key ${fingerprint} was removed from the key server.`,
    revocation_kept: `The key ${fingerprint} was removed; that it is revoked is still told.`,
    contribution_removed: `Your part in the key ${fingerprint} was taken back; it stays, because others brought it too or own it.`,
  };
  place.log.info(removed === undefined ? 'Nothing was removed.' : said[removed.outcome]);
  if (json && removed !== undefined) place.out.json({ keys: [{ ...removed, fingerprint }] });
}

async function readSigned({ cwd, stdin }: Surroundings, file: string): Promise<string> {
  return file === '-' ? textOf(stdin) : readFile(resolve(cwd, file), 'utf8');
}

async function unlocked(
  place: Surroundings,
  fingerprint: string,
  passphraseFile: string | undefined,
): Promise<PgpKey> {
  const { fingerprintOf } = await import('#libs/pgp');
  const secrets = await (await openKeyRing(place)).keys('secret');
  if (!secrets.some((one) => fingerprintOf(one) === fingerprint))
    throw new DomainError('not_found', `The private key of ${fingerprint} is not in your key ring`, {
      reason: 'no_private_key',
      remedy: `Where it is elsewhere, sign by hand: sing key claim --challenge ${fingerprint}`,
    });
  const { signingKey } = await import('../image/signing-key.js');
  return signingKey(place, { index: undefined, query: fingerprint, passphraseFile });
}

async function ownKey(place: Surroundings, fingerprint: string): Promise<PgpKey | undefined> {
  const { fingerprintOf } = await import('#libs/pgp');
  const keys = await (await openKeyRing(place)).keys('public');
  return keys.find((one) => fingerprintOf(one) === fingerprint);
}

/** The hash of a user id that the server shows, by its text or its address. */
function shownHash({ userIds }: KeyRecord, text: string): string {
  const found = userIds.find((one) => one.text === text) ?? userIds.find((one) => isOf(one.text, text));
  if (found !== undefined) return found.hash;
  throw new DomainError('not_found', `The key has no user id ${JSON.stringify(text)} on the key server`, {
    reason: 'user_id_not_found',
    remedy: 'It may be hidden already. See those that it has: sing key search --long-list FINGERPRINT',
  });
}

/** What a hidden user id can be: its text, or one of the own copy that has the address. */
function hiddenHashes(own: PgpKey | undefined, text: string): string[] {
  const texts = own?.key.getUserIDs().filter((one) => isOf(one, text)) ?? [];
  return [text, ...texts].map((one) => createHash('sha256').update(one).digest('hex'));
}

function notHidden(userIds: readonly string[]): DomainError {
  return new DomainError(
    'not_found',
    `Nothing of ${userIds.map((one) => JSON.stringify(one)).join(', ')} is hidden`,
    {
      reason: 'user_id_not_found',
      remedy: 'Name them as they are written in the key, or have the key in your key ring',
    },
  );
}

/** Whether a user id has this text, or this e-mail address. */
function isOf(userId: string, text: string): boolean {
  const wanted = text.trim().toLowerCase();
  const address = /<([^<>]*)>\s*$/.exec(userId)?.[1] ?? userId;
  return userId === text || address.trim().toLowerCase() === wanted;
}

function presentRecord(record: KeyRecord): object {
  return { keys: [{ ...record, fingerprint: record.fingerprint.toUpperCase() }] };
}

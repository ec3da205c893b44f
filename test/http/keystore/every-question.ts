import { NoticesStore } from '#apps/keystore/src/notices.store';
import { wkdName } from '#apps/keystore/src/wkd/name';
import { bytesOf, CREATED, Owner } from '../../../libs/pgp/src/testing/maker.js';
import { readKey } from '../../../libs/pgp/src/packets/key.js';
import type { AppAnswer, AppRequest, StartedApp } from '../../support/app.js';
import { addKey, clearSigned, newTestKey } from '../../support/pgp-keys.js';
import type { TestAuthority } from '../../support/tokens.js';

/** Keys that all look alike to a search: the same words, made in the same second. */
const ALIKE = 8;
const PAGE = 3;

/**
 * Asks a keystore everything that can be asked of it, of keys that it brings first: every form of a search, every list page by page,
 * and what is read before something changes.
 * @param wkdDomain whose directory the keystore has
 * @throws Error when something is not found: then it was not asked to the end
 */
export async function askEverything(
  app: StartedApp,
  authority: TestAuthority,
  wkdDomain: string,
): Promise<void> {
  const email = `ann@${wkdDomain}`;
  const organisations = { physics: 'owner' } as const;
  const ann = await authority.token({ username: 'ann', organisations, claims: { email } });
  const admin = await authority.token({ username: 'root', administrator: true });
  const ask = async (path: string, request: AppRequest = {}): Promise<AppAnswer> => {
    const answer = await app.request(path, request);
    if (answer.status !== 200)
      throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 200)}`);
    return answer;
  };
  /** All pages of a list, by what an answer says of the next one. */
  const askAll = async (
    path: string,
    request: AppRequest,
    next: (answer: AppAnswer) => string | undefined,
  ): Promise<void> => {
    for (let more: string | undefined = ''; more !== undefined;)
      more = next(await ask(`${path}${more}`, request));
  };

  const first = makeKey('Ann Alike', email);
  const alike = Array.from({ length: ALIKE }, (_, index) =>
    makeKey(`Alike Twin Person${index}`, `p${index}@example.org`),
  );
  const expiring = await newTestKey('Ending', { expiresIn: 3600 });
  const named = makeKey('No Address At All');
  await ask('/v1/keys/import', { method: 'POST', body: joined(alike), token: admin });
  await ask('/pks/add', { method: 'POST', headers: BINARY, body: joined([first, named]), token: ann });
  for (const key of [expiring, await newTestKey('Later', { expiresIn: 7200 })])
    await addKey(app, key.armored, ann);
  const revoked = await newTestKey('Revoked');
  await addKey(app, revoked.armored, ann);
  await addKey(app, await revoked.revoked(), ann);

  const [one] = alike;
  if (one === undefined) throw new Error('no keys');
  for (const search of [
    `0x${one.fingerprint}`,
    `0x${one.subkey}`,
    `0x${one.fingerprint.slice(-16)}`,
    `0x${one.subkey.slice(-16)}`,
    `0x${one.fingerprint.slice(-8)}`,
    'p0@example.org',
    'person0',
    'alike person0',
    'No Address At All&exact=on',
  ])
    for (const form of ['get', 'get&options=json', 'get&options=bin', 'index&options=mr', 'vindex'])
      await ask(`/pks/lookup?op=${form}&search=${search.replaceAll(' ', '%20')}`);
  for (const words of ['alike', 'alike%20twin'])
    await askAll(`/pks/lookup?op=index&options=mr&search=${words}&x-pagesize=${PAGE}`, {}, ({ headers }) => {
      const token = headers['x-hkp-next-page-token'];
      return typeof token === 'string' ? `&x-pagetoken=${token}` : undefined;
    });
  await ask(`/pks/v2/certs/by-vfingerprint/04${one.fingerprint}`);
  await ask(`/pks/v2/certs/by-keyid/${one.fingerprint.slice(-16)}`);
  await ask('/pks/v2/certs/by-identity/p0@example.org');
  await ask('/pks/v2/index/p0@example.org');
  const { hash } = wkdName(email);
  await ask(`/.well-known/openpgpkey/${wkdDomain}/hu/${hash}`);

  await askAll(`/v1/keys/changes?limit=${PAGE}&after=`, {}, ({ body }) =>
    body.data.more === true ? String(body.data.next) : undefined,
  );
  await ask(`/v1/keys/changes?fingerprint=${one.fingerprint},${expiring.fingerprint}`);
  await ask('/v1/keys/events?after=0');

  const { text } = (await ask(`/v1/keys/${expiring.fingerprint}/challenge`, { method: 'POST', token: ann }))
    .body.data;
  const json = { signed: await clearSigned(expiring, text as string) };
  await ask(`/v1/keys/${expiring.fingerprint}/claim`, { method: 'POST', token: ann, json });
  await ask(`/v1/keyrings/physics/keys/${expiring.fingerprint}`, { method: 'PUT', token: ann });
  await ask('/v1/keyrings/physics.asc');
  await ask(`/v1/keys/${expiring.fingerprint}`, { token: ann });
  await ask(`/v1/keyrings/physics/keys/${expiring.fingerprint}`, { method: 'DELETE', token: ann });

  const onward = ({ body }: AppAnswer): string | undefined =>
    body.page && `&cursor=${encodeURIComponent(body.page.next as string)}`;
  await askAll('/v1/keys/expiring?within=2&limit=1', { token: ann }, onward);
  await askAll('/v1/keys/expiring?within=2&limit=1&all=true', { token: admin }, onward);
  const notices = app.get(NoticesStore);
  await notices.tell();
  await notices.sweep();
  await askAll('/v1/keys/notices?limit=1', { token: ann }, onward);
  await ask(`/v1/keys/notices/${expiring.fingerprint}`, { method: 'PUT', token: ann });
  for (const { fingerprint } of alike.slice(0, 2))
    await ask(`/v1/keys/blocked/${fingerprint}`, { method: 'PUT', token: admin });
  await askAll('/v1/keys/blocked?limit=1', { token: admin }, onward);
  await ask(`/v1/keys/blocked/${one.fingerprint}`, { token: admin });
  await askAll(`/v1/keys/export?limit=${PAGE}`, { token: admin }, onward);
  let part: { repair: boolean; cursor?: string } | undefined = { repair: false };
  while (part !== undefined) {
    const { body } = await ask('/v1/keys/check', { method: 'POST', token: admin, json: part });
    part = body.page && { repair: false, cursor: body.page.next as string };
  }
}

const BINARY = { 'content-type': 'application/pgp-keys' };

interface MadeKey {
  readonly fingerprint: string;
  readonly subkey: string;
  readonly bytes: Buffer;
}

function makeKey(name: string, email?: string): MadeKey {
  const owner = new Owner('ed25519Legacy', { created: CREATED });
  const encryption = owner.encryptionSubkey();
  const packets = [
    owner.primary,
    ...owner.userId(email === undefined ? name : `${name} <${email}>`),
    ...encryption,
  ];
  const subkey = readKey(encryption[0]?.body ?? Buffer.alloc(0)).fingerprint;
  return { fingerprint: owner.key.facts.fingerprint, subkey, bytes: bytesOf(packets) };
}

const joined = (keys: readonly MadeKey[]): Buffer => Buffer.concat(keys.map(({ bytes }) => bytes));

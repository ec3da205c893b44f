import { randomBytes } from 'node:crypto';
import { CertificatesStore } from '#apps/keystore/src/certificates.store';
import { handlesOf } from '#apps/keystore/src/handles';
import { Trail } from '#libs/audit';
import { loadConfig } from '#libs/config';
import { openDocuments } from '#libs/documents';
import {
  cleanCertificate,
  generateKey,
  publicPart,
  readPackets,
  splitCertificates,
  summarise,
  writeArmor,
  writeCertificate,
} from '#libs/pgp';

const clock = { now: () => new Date() };
/** Made for real; the others are copies of them under other names, which takes microseconds instead of milliseconds. */
const REAL = 50;
const AT_ONCE = 500;

/**
 * Fills the database of a keystore that does not run yet with Ed25519 certificates, each with a subkey.
 * @returns what they are found by, and the median size of one in bytes
 */
export async function fillKeystore(env, count) {
  const models = await Promise.all(
    Array.from({ length: Math.min(REAL, count) }, (_, index) => makeReal(index)),
  );
  const database = await openDocuments(loadConfig(env).databaseUrl('keystore'), { service: 'keystore' });
  try {
    const trail = new Trail({ documents: database, service: 'keystore', clock });
    const store = new CertificatesStore(database, trail, clock);
    await database.ready();
    const found = [];
    for (let at = 0; at < count; at += AT_ONCE) {
      const part = Array.from({ length: Math.min(AT_ONCE, count - at) }, (_, index) =>
        at + index < models.length
          ? models[at + index]
          : copyOf(models[(at + index) % models.length], at + index),
      );
      const stored = await Promise.all(
        part.map(({ found: handles, ...certificate }) =>
          store.change(certificate.fingerprint, async () => ({
            record: { certificate, handles },
            event: {
              action: 'key.add',
              actor: null,
              subject: { kind: 'key', name: certificate.fingerprint },
            },
          })),
        ),
      );
      if (stored.includes(false)) throw new Error('Expected fresh certificates');
      found.push(...part);
    }
    return {
      bytes: found.map(({ armor }) => armor.length).toSorted((a, b) => a - b)[Math.floor(found.length / 2)],
      by: {
        fingerprint: found.map(({ fingerprint }) => `0x${fingerprint}`),
        'key id': found.map(({ fingerprint }) => `0x${fingerprint.slice(-16)}`),
        subkey: found.map(({ subkeys }) => `0x${subkeys[0]}`),
        'e-mail': found.map(({ userIds }) => /<(.*)>/.exec(userIds[0].text)[1]),
      },
      /** Words that one certificate alone has, and one that all have. */
      words: found.map(({ userIds }) => /Number\d+/.exec(userIds[0].text)[0]),
      commonWord: 'person',
    };
  } finally {
    await database.close();
  }
}

async function makeReal(index) {
  const key = await generateKey({ ...person(index), passphrase: '', algorithm: 'ed25519', clock });
  const { bytes } = await publicPart(key);
  const certificate = await cleanCertificate(splitCertificates([...readPackets(bytes)])[0], clock);
  return documentOf(writeArmor(writeCertificate(certificate)), summarise(certificate));
}

/** Nothing reads the armor again on its way out, so the one of another certificate costs the same. */
function copyOf(model, index) {
  const { name, email } = person(index);
  return documentOf(model.armor, {
    ...model,
    ...newKey(),
    version: 4,
    subkeys: [{ ...newKey(), signs: false }],
    userIds: [{ ...model.userIds[0], text: `${name} <${email}>` }],
  });
}

function newKey() {
  const fingerprint = randomBytes(20).toString('hex');
  return { fingerprint, keyId: fingerprint.slice(-16) };
}

const person = (index) => ({ name: `Person Number${index}`, email: `person${index}@example.org` });

/** The document as the keystore makes it of an upload, and the handles beside it. */
function documentOf(armor, summary) {
  const found = handlesOf(summary);
  const { fingerprint, algorithm, bits, created, expires, revoked } = summary;
  return {
    armor,
    fingerprint,
    algorithm,
    bits,
    created,
    revoked,
    ...(expires !== undefined && { expires }),
    userIds: [...summary.userIds],
    subkeys: summary.subkeys.map((subkey) => subkey.fingerprint),
    handles: found.map(({ handle }) => handle),
    updatedAt: new Date().toISOString(),
    updatedBy: 'bench',
    found,
  };
}

import type { Clock } from '#libs/core';
import { badKey } from '../packets/fault.js';
import { type KeyFacts, readKey } from '../packets/key.js';
import { PACKET_LIMITS } from '../packets/limits.js';
import type { Packet } from '../packets/reader.js';
import {
  canonicalSignature,
  readSignature,
  type SignatureFacts,
  SignatureType,
} from '../packets/signature.js';
import { Tag } from '../packets/tags.js';
import { canonical } from './canonical.js';
import { type Certificate, type Component, maySign, type Subkey } from './components.js';
import type { Group, RawCertificate } from './split.js';
import { SignatureVerifier, type Work, workForUpload } from './verifier.js';

/** A signature may be this far ahead of our clock (keystore contract §3.2). */
const FUTURE_SECONDS = 24 * 60 * 60;
/** Back-signatures of one binding that are tried: there is one, unless somebody put more there. */
const MOST_BACK_SIGNATURES = 4;

/**
 * Keeps of a certificate what its own primary key vouches for, and nothing else (keystore contract §3.2). Bytes are kept as they came, but for
 * what no signature covers.
 * @throws DomainError `unprocessable` when nothing is left that could be served, or looking at it takes too long
 */
export async function cleanCertificate(
  raw: RawCertificate,
  clock: Clock,
  work: Work = workForUpload(),
): Promise<Certificate> {
  const latest = Math.floor(clock.now().getTime() / 1000) + FUTURE_SECONDS;
  return new Cleaner(raw.primary.packet, latest, new SignatureVerifier(work)).clean(raw);
}

/**
 * Takes a certificate apart that this program has cleaned and written before: nothing is verified again. All its user ids may be hidden.
 * @throws DomainError when it is none
 */
export async function readCleanCertificate(raw: RawCertificate): Promise<Certificate> {
  return new Cleaner(raw.primary.packet, Number.POSITIVE_INFINITY, { verify: async () => true }).read(raw);
}

class Cleaner {
  readonly #facts;

  constructor(
    private readonly primary: Packet,
    private readonly latest: number,
    private readonly verifier: Pick<SignatureVerifier, 'verify'>,
  ) {
    this.#facts = readKey(primary.body);
  }

  async clean(raw: RawCertificate): Promise<Certificate> {
    const certificate = await this.read(raw);
    if (certificate.userIds.length === 0 && certificate.revocations.length === 0) {
      throw badKey(
        `Key ${this.#facts.fingerprint.toUpperCase()} has no user id that its own signature confirms`,
      );
    }
    return certificate;
  }

  async read(raw: RawCertificate): Promise<Certificate> {
    const own = await this.#own(
      raw.primary.signatures,
      [SignatureType.keyRevocation, SignatureType.directKey],
      undefined,
    );
    const userIds: Component[] = [];
    const subkeys: Subkey[] = [];
    let [seenUserIds, seenSubkeys] = [0, 0];
    for (const group of raw.components) {
      if (group.packet.tag === Tag.userId) {
        seenUserIds += 1;
        const userId = seenUserIds > PACKET_LIMITS.components ? undefined : await this.#userId(group);
        if (userId !== undefined) userIds.push(userId);
      } else {
        seenSubkeys += 1;
        const subkey = seenSubkeys > PACKET_LIMITS.components ? undefined : await this.#subkey(group);
        if (subkey !== undefined) subkeys.push(subkey);
      }
    }
    return canonical({
      primary: this.primary,
      facts: this.#facts,
      revocations: own.filter(({ type }) => type === SignatureType.keyRevocation),
      direct: own.filter(({ type }) => type === SignatureType.directKey),
      userIds,
      subkeys,
    });
  }

  async #userId(group: Group): Promise<Component | undefined> {
    const { packet } = group;
    if (packet.body.length > PACKET_LIMITS.userIdBytes || packet.body.includes(0)) return undefined;
    const certifications = [0x10, 0x11, 0x12, 0x13];
    const signatures = await this.#own(
      group.signatures,
      [...certifications, SignatureType.certificationRevocation],
      packet,
    );
    const bindings = signatures.filter(({ type }) => certifications.includes(type));
    if (bindings.length === 0) return undefined;
    return {
      packet,
      bindings,
      revocations: signatures.filter(({ type }) => type === SignatureType.certificationRevocation),
    };
  }

  async #subkey(group: Group): Promise<Subkey | undefined> {
    const { packet } = group;
    const facts = attempt(() => readKey(packet.body));
    if (facts === undefined) return undefined;
    const signatures = await this.#own(
      group.signatures,
      [SignatureType.subkeyBinding, SignatureType.subkeyRevocation],
      packet,
    );
    const bindings: SignatureFacts[] = [];
    for (const signature of signatures) {
      if (signature.type !== SignatureType.subkeyBinding) continue;
      const binding = maySign(signature, facts) ? await this.#proven(signature, packet, facts) : signature;
      if (binding !== undefined) bindings.push(binding);
    }
    if (bindings.length === 0) return undefined;
    return {
      packet,
      facts,
      bindings,
      revocations: signatures.filter(({ type }) => type === SignatureType.subkeyRevocation),
    };
  }

  /** A signing subkey must say itself that it belongs here, or anybody could adopt it (keystore contract §3.2, subkeys). */
  async #proven(
    binding: SignatureFacts,
    subkey: Packet,
    { keyId }: KeyFacts,
  ): Promise<SignatureFacts | undefined> {
    const signed = { primary: this.primary, component: subkey };
    const type = SignatureType.primaryKeyBinding;
    // Of any other type it may be a signature of some document that was made to look like these keys.
    const consents = async (body: Uint8Array): Promise<boolean> =>
      attempt(() => readSignature(body).type) === type && this.verifier.verify(body, type, signed, subkey);
    const { hashed, unhashed } = binding.embedded;
    for (const body of hashed.slice(0, MOST_BACK_SIGNATURES)) if (await consents(body)) return binding;
    let found: Buffer | undefined;
    for (const one of unhashed.slice(0, MOST_BACK_SIGNATURES)) {
      const body = attempt(() => canonicalSignature(one, keyId));
      if (body === undefined || (found !== undefined && Buffer.compare(found, body) <= 0)) continue;
      if (await consents(body)) found = body;
    }
    if (found === undefined) return undefined;
    return { ...binding, body: canonicalSignature(binding.body, this.#facts.keyId, found) };
  }

  /** The signatures of wanted types that the primary key really made, in the form in which they are kept. */
  async #own(
    packets: readonly Packet[],
    types: readonly number[],
    component: Packet | undefined,
  ): Promise<SignatureFacts[]> {
    const kept = new Map<string, SignatureFacts>();
    for (const packet of packets) {
      const signature = attempt(() => this.#canonical(packet));
      if (signature === undefined) continue;
      const { type, issuer, exportable, created, body, claim, embedded } = signature;
      if (!types.includes(type) || !exportable || created > this.latest) continue;
      // Signatures of others are not looked at: verifying them is what makes poisoned keys expensive (CVE-2019-13050).
      if (issuer !== undefined && issuer !== this.#facts.keyId) continue;
      const known = kept.get(claim);
      const order = known === undefined ? -1 : Buffer.compare(body, known.body);
      if (known !== undefined && order === 0) {
        const unhashed = [...known.embedded.unhashed, ...embedded.unhashed].slice(0, MOST_BACK_SIGNATURES);
        kept.set(claim, { ...known, embedded: { hashed: known.embedded.hashed, unhashed } });
      }
      if (order >= 0) continue;
      const signed = { primary: this.primary, ...(component && { component }) };
      if (await this.verifier.verify(body, type, signed, this.primary)) kept.set(claim, signature);
    }
    return [...kept.values()];
  }

  #canonical({ body }: Packet): SignatureFacts {
    return { ...readSignature(body), body: canonicalSignature(body, this.#facts.keyId) };
  }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

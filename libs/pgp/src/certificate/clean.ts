import type { Clock } from '#libs/core';
import { badKey } from '../packets/fault.js';
import { readKey } from '../packets/key.js';
import { PACKET_LIMITS } from '../packets/limits.js';
import type { Packet } from '../packets/reader.js';
import { readSignature, type SignatureFacts, SignatureType } from '../packets/signature.js';
import { Tag } from '../packets/tags.js';
import { canonical } from './canonical.js';
import type { Certificate, Component, Subkey } from './components.js';
import type { Group, RawCertificate } from './split.js';
import { SignatureVerifier } from './verifier.js';

/** A signature may be this far ahead of our clock (keystore contract §3.2). */
const FUTURE_SECONDS = 24 * 60 * 60;

/**
 * Keeps of a certificate what its own primary key vouches for, and nothing else (keystore contract §3.2). Bytes are kept as they came, but for the
 * unhashed areas of signatures.
 * @throws DomainError `unprocessable` when nothing is left that could be served
 */
export async function cleanCertificate(raw: RawCertificate, clock: Clock): Promise<Certificate> {
  const latest = Math.floor(clock.now().getTime() / 1000) + FUTURE_SECONDS;
  return new Cleaner(raw.primary.packet, latest, new SignatureVerifier()).clean(raw);
}

/**
 * Takes a certificate apart that this program has cleaned and written before: nothing is verified again.
 * @throws DomainError when it is none
 */
export async function readCleanCertificate(raw: RawCertificate): Promise<Certificate> {
  return new Cleaner(raw.primary.packet, Number.POSITIVE_INFINITY, { verify: async () => true }).clean(raw);
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
    const certificate = canonical({
      primary: this.primary,
      facts: this.#facts,
      revocations: own.filter(({ type }) => type === SignatureType.keyRevocation),
      direct: own.filter(({ type }) => type === SignatureType.directKey),
      userIds,
      subkeys,
    });
    if (certificate.userIds.length === 0 && certificate.revocations.length === 0) {
      throw badKey(
        `Key ${this.#facts.fingerprint.toUpperCase()} has no user id that its own signature confirms`,
      );
    }
    return certificate;
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
      if (signature.type === SignatureType.subkeyBinding && (await this.#consents(signature, packet)))
        bindings.push(signature);
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
  async #consents(binding: SignatureFacts, subkey: Packet): Promise<boolean> {
    if (!binding.maySign) return true;
    if (binding.embedded === undefined) return false;
    const signed = { primary: this.primary, component: subkey };
    return this.verifier.verify(binding.embedded, SignatureType.primaryKeyBinding, signed, subkey);
  }

  /** The signatures of wanted types that the primary key really made. */
  async #own(
    packets: readonly Packet[],
    types: readonly number[],
    component: Packet | undefined,
  ): Promise<SignatureFacts[]> {
    const kept = new Map<string, SignatureFacts>();
    for (const packet of packets) {
      const signature = attempt(() => readSignature(packet.body));
      if (signature === undefined || kept.has(signature.identity)) continue;
      const { type, issuer, exportable, created, body } = signature;
      if (!types.includes(type) || !exportable || created > this.latest) continue;
      // Signatures of others are not looked at: verifying them is what makes poisoned keys expensive (CVE-2019-13050).
      if (issuer !== undefined && issuer !== this.#facts.keyId) continue;
      const signed = { primary: this.primary, ...(component && { component }) };
      if (await this.verifier.verify(body, type, signed, this.primary))
        kept.set(signature.identity, signature);
    }
    return [...kept.values()];
  }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

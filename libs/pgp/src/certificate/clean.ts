import type { Clock } from '#libs/core';
import { SIGNING } from '../packets/algorithms.js';
import { badKey } from '../packets/fault.js';
import { type KeyFacts, readKey } from '../packets/key.js';
import type { Packet } from '../packets/reader.js';
import {
  mayBeBy,
  readSignature,
  type SignatureFacts,
  SignatureType,
  writeSignature,
} from '../packets/signature.js';
import { Tag } from '../packets/tags.js';
import { attempt } from './attempt.js';
import { BackSignatures, MOST_BACK_SIGNATURES } from './back.js';
import { canonical } from './canonical.js';
import { type Certificate, isBound, type Proven, type Signed } from './components.js';
import { type Draft, drafted, idOf, keepBetter } from './draft.js';
import { type FindRevoker, Revokers } from './revokers.js';
import type { PlacedSignature, RawCertificate } from './split.js';
import { Turns } from './turns.js';
import { type Verified, verifiedIn } from './verified.js';
import { SignatureVerifier, type Work, workForUpload } from './verifier.js';

/** A signature may be this far ahead of our clock (keystore contract §3.2). */
const FUTURE_SECONDS = 24 * 60 * 60;

export interface CleanOptions {
  /** How much may be checked; an own budget by default. */
  readonly work?: Work;
  /**
   * What is stored of the same key: signatures without their user id or subkey find it there, and what was verified once is not
   * verified again.
   */
  readonly known?: Certificate | undefined;
  /** Where the certificates of designated revokers are found; without it their revocations are left out. */
  readonly findRevoker?: FindRevoker;
}

/**
 * Keeps of a certificate what its own primary key vouches for, and nothing else (keystore contract §3.2), in whatever order its packets
 * came. Bytes are kept as they came, but for what no signature covers.
 * @returns what was sent; merging it with what is stored is the next step
 * @throws DomainError `unprocessable` when nothing is left that could be served, or looking at it takes too long
 */
export async function cleanCertificate(
  raw: RawCertificate,
  clock: Clock,
  options: CleanOptions = {},
): Promise<Certificate> {
  const latest = Math.floor(clock.now().getTime() / 1000) + FUTURE_SECONDS;
  return new Cleaner(raw, latest, options).clean();
}

/** A signature that may be by the primary key, with everything that copies of it add. */
interface Candidate {
  readonly facts: SignatureFacts;
  readonly behind: Set<Packet>;
  /** Perhaps back-signatures. */
  readonly embedded: Uint8Array[];
}

class Cleaner {
  readonly #facts: KeyFacts;
  readonly #verifier: SignatureVerifier;
  readonly #backs: BackSignatures;
  readonly #drafts = new Map<string, Draft>();
  readonly #revocations = new Map<string, Proven>();
  readonly #direct = new Map<string, Proven>();
  readonly #turns = new Turns();

  constructor(
    private readonly raw: RawCertificate,
    private readonly latest: number,
    private readonly options: CleanOptions,
  ) {
    this.#facts = readKey(raw.primary.body);
    if (!SIGNING.has(this.#facts.algorithm))
      throw badKey(`Keys of algorithm ${this.#facts.algorithm} cannot confirm anything: they do not sign`);
    this.#verifier = new SignatureVerifier(options.work ?? workForUpload());
    this.#backs = new BackSignatures(raw.primary, this.#verifier);
  }

  async clean(): Promise<Certificate> {
    const { known } = this.options;
    const placed = new Map<Packet, Draft | undefined>();
    for (const packet of this.raw.components) {
      await this.#turns.after(packet.body.length);
      placed.set(packet, this.#draft(packet));
    }
    for (const { packet } of [...(known?.userIds ?? []), ...(known?.subkeys ?? [])]) this.#draft(packet);
    const { own, foreign } = await this.#candidates();
    const verified = new Map(known === undefined ? [] : verifiedIn(known));
    for (const candidate of own) {
      const before = verified.get(candidate.facts.identity);
      if (before === undefined) await this.#place(candidate, placed);
      else this.#take(before);
    }
    const revokers = new Revokers(
      [...this.#direct.values(), ...(known?.direct ?? [])],
      this.#verifier,
      this.options.findRevoker,
    );
    for (const { facts } of foreign) {
      const before = verified.get(facts.identity);
      const proven = before?.proven ?? (await revokers.check(facts, this.raw.primary));
      if (proven !== undefined) keepBetter(this.#revocations, proven);
    }
    return this.#finish();
  }

  /** The one draft of a component, however often it was sent; undefined for one that is not kept. */
  #draft(packet: Packet): Draft | undefined {
    const id = idOf(packet);
    const known = this.#drafts.get(id);
    if (known !== undefined) return known;
    const draft = drafted(packet, this.#facts);
    if (draft !== undefined) this.#drafts.set(id, draft);
    return draft;
  }

  async #candidates(): Promise<{ own: Candidate[]; foreign: Candidate[] }> {
    const own = new Map<string, Candidate>();
    const foreign = new Map<string, Candidate>();
    for (const placed of this.raw.signatures) {
      await this.#turns.after(placed.body.length);
      const facts = attempt(() => readSignature(placed.body));
      if (facts === undefined || !facts.exportable || facts.created > this.latest) continue;
      // Signatures of others are not looked at: verifying them is what makes poisoned keys expensive (CVE-2019-13050).
      if (mayBeBy(facts, this.#facts)) collect(own, facts, placed);
      else if (facts.type === SignatureType.keyRevocation) collect(foreign, facts, placed);
    }
    return { own: [...own.values()], foreign: [...foreign.values()] };
  }

  /** Finds out what a signature is over: what it stood behind, or else whatever of the certificate it fits. */
  async #place(candidate: Candidate, placed: ReadonlyMap<Packet, Draft | undefined>): Promise<void> {
    const { facts, behind } = candidate;
    const kept = this.#ofKey(facts.type);
    if (kept !== undefined) {
      if (await this.#isOwn(facts, { primary: this.raw.primary })) this.#keep(kept, facts);
      return;
    }
    const near = [...behind].map((packet) => placed.get(packet)).filter((draft) => draft !== undefined);
    for (const draft of new Set([...near, ...this.#drafts.values()])) {
      const list = draft.listFor(facts.type);
      if (list === undefined) continue;
      if (!(await this.#isOwn(facts, { primary: this.raw.primary, component: draft.packet }))) continue;
      if (await this.#mayBind(candidate, draft)) this.#keep(list, facts);
      return;
    }
  }

  /** A binding of a subkey may need the word of the subkey. */
  async #mayBind({ facts, embedded }: Candidate, draft: Draft): Promise<boolean> {
    if (facts.type !== SignatureType.subkeyBinding || draft.facts === undefined) return true;
    const subkey = { packet: draft.packet, facts: draft.facts };
    const words = await this.#backs.wordsFor(facts, subkey, embedded);
    for (const word of words ?? []) draft.offerBack(word);
    return words !== undefined;
  }

  #ofKey(type: number): Map<string, Proven> | undefined {
    if (type === SignatureType.keyRevocation) return this.#revocations;
    return type === SignatureType.directKey ? this.#direct : undefined;
  }

  #isOwn(facts: SignatureFacts, signed: Signed): Promise<boolean> {
    return this.#verifier.verify(facts, signed, this.#facts);
  }

  #keep(list: Map<string, Proven>, facts: SignatureFacts): void {
    keepBetter(list, { ...facts, issuer: this.#facts.keyId, body: writeSignature(facts, this.#facts) });
  }

  /** What was verified when it was stored. */
  #take({ proven, component, back }: Verified): void {
    const { type } = proven;
    const draft = component && this.#draft(component);
    if (draft !== undefined && back !== undefined) draft.offerBack(back);
    const list = draft === undefined ? this.#ofKey(type) : draft.listFor(type);
    if (list !== undefined) keepBetter(list, proven);
  }

  #finish(): Certificate {
    const drafts = [...this.#drafts.values()];
    const certificate = canonical({
      primary: this.raw.primary,
      facts: this.#facts,
      revocations: [...this.#revocations.values()],
      direct: [...this.#direct.values()],
      userIds: drafts.flatMap((draft) => draft.asUserId() ?? []),
      subkeys: drafts.flatMap((draft) => draft.asSubkey() ?? []),
    });
    this.#refuseNothing(certificate);
    return certificate;
  }

  /** Where the key is known, anything that is valid is worth taking, but not from a certificate all of whose user ids are broken. */
  #refuseNothing(certificate: Certificate): void {
    if (this.options.known === undefined) return requireWhole(certificate);
    const { revocations, direct, userIds, subkeys } = certificate;
    const sent = new Set(this.raw.components.filter(({ tag }) => tag === Tag.userId).map(idOf));
    const confirmed =
      sent.size === 0 ? userIds.length : userIds.filter(({ packet }) => sent.has(idOf(packet))).length;
    const isWorth = revocations.length + direct.length + confirmed > 0;
    if (!isWorth && (sent.size > 0 || subkeys.length === 0))
      throw badKey(`${nameOf(this.#facts)} was sent with nothing that its own signature confirms`);
  }
}

/**
 * What a certificate must have to be stored as a new one (keystore contract §3.2): a user id, a direct-key signature or a revocation;
 * of version 6 a direct-key signature in any case.
 * @throws DomainError `unprocessable`
 */
export function requireWhole({ facts, revocations, direct, userIds }: Certificate): void {
  const name = nameOf(facts);
  if (facts.version === 6 && direct.length === 0)
    throw badKey(`${name} has no direct-key signature, which keys of version 6 must have`);
  if (!userIds.some(isBound) && direct.length === 0 && revocations.length === 0)
    throw badKey(`${name} has no user id that its own signature confirms`);
}

const nameOf = ({ fingerprint }: KeyFacts): string => `Key ${fingerprint.toUpperCase()}`;

function collect(into: Map<string, Candidate>, facts: SignatureFacts, { behind }: PlacedSignature): void {
  const known = into.get(facts.identity) ?? { facts, behind: new Set(), embedded: [] };
  into.set(facts.identity, known);
  known.behind.add(behind);
  for (const one of facts.embedded.unhashed)
    if (known.embedded.length < MOST_BACK_SIGNATURES) known.embedded.push(one);
}

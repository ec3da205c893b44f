import { PACKET_LIMITS } from '../packets/limits.js';
import { type Packet, writePacket } from '../packets/reader.js';
import type { SignatureFacts } from '../packets/signature.js';
import { Tag } from '../packets/tags.js';
import type { Certificate, Component, Subkey } from './components.js';

/** Revocation reasons that say the key may still have signed honestly before: superseded, retired, user id no longer valid. */
const SOFT_REASONS: ReadonlySet<number> = new Set([1, 3, 32]);

export const isHard = (revocation: SignatureFacts): boolean =>
  !SOFT_REASONS.has(revocation.revocationReason ?? 0);

/** Puts everything in the one order and cuts it to the limits (keystore contract §3.4), so that equal content is equal bytes. */
export function canonical(certificate: Certificate): Certificate {
  const userIds = certificate.userIds.map(orderComponent).sort(byUserId);
  const subkeys = certificate.subkeys
    .map((subkey) => ({ ...subkey, ...orderComponent(subkey) }))
    .sort(bySubkey);
  return {
    ...certificate,
    revocations: orderRevocations(certificate.revocations),
    direct: newest(certificate.direct),
    userIds: userIds.slice(0, PACKET_LIMITS.components),
    subkeys: subkeys.slice(0, PACKET_LIMITS.components),
  };
}

/** Everything of both, verified before; the order of merging does not matter. */
export function mergeCertificates(one: Certificate, other: Certificate): Certificate {
  return canonical({
    ...one,
    revocations: unite(one.revocations, other.revocations),
    direct: unite(one.direct, other.direct),
    userIds: mergeComponents(one.userIds, other.userIds),
    subkeys: mergeComponents(one.subkeys, other.subkeys),
  });
}

/** The bytes that are stored and served. */
export function writeCertificate(certificate: Certificate): Buffer {
  const signatures = (list: readonly SignatureFacts[]): Packet[] =>
    list.map(({ body }) => ({ tag: Tag.signature, body }));
  const component = ({ packet, bindings, revocations }: Component): Packet[] => [
    packet,
    ...signatures(bindings),
    ...signatures(revocations),
  ];
  const packets = [
    certificate.primary,
    ...signatures(certificate.revocations),
    ...signatures(certificate.direct),
    ...certificate.userIds.flatMap(component),
    ...certificate.subkeys.flatMap(component),
  ];
  return Buffer.concat(packets.map(writePacket));
}

function mergeComponents<C extends Component>(one: readonly C[], other: readonly C[]): C[] {
  const merged = new Map(one.map((component) => [keyOf(component), component]));
  for (const component of other) {
    const known = merged.get(keyOf(component));
    const both = known && {
      ...known,
      bindings: unite(known.bindings, component.bindings),
      revocations: unite(known.revocations, component.revocations),
    };
    merged.set(keyOf(component), both ?? component);
  }
  return [...merged.values()];
}

const keyOf = ({ packet }: Component): string => Buffer.from(packet.body).toString('base64');

/**
 * Of two signatures that say the same the one with the smaller body is kept: anybody can turn some signatures into others that
 * are as good, and whoever merges in whatever order must arrive at the same bytes.
 */
function unite(one: readonly SignatureFacts[], other: readonly SignatureFacts[]): SignatureFacts[] {
  const united = new Map<string, SignatureFacts>();
  for (const signature of [...one, ...other]) {
    const known = united.get(signature.claim);
    if (known === undefined || Buffer.compare(signature.body, known.body) < 0)
      united.set(signature.claim, signature);
  }
  return [...united.values()];
}

function orderComponent(component: Component): Component {
  return {
    packet: component.packet,
    bindings: newest(component.bindings),
    revocations: orderRevocations(component.revocations),
  };
}

function newest(signatures: readonly SignatureFacts[]): SignatureFacts[] {
  return signatures
    .toSorted((a, b) => b.created - a.created || compareText(a.claim, b.claim))
    .slice(0, PACKET_LIMITS.signatures);
}

/** Hardest first, then earliest: what is cut off never hides that a key was compromised. */
function orderRevocations(revocations: readonly SignatureFacts[]): SignatureFacts[] {
  return revocations
    .toSorted(
      (a, b) =>
        Number(isHard(b)) - Number(isHard(a)) || a.created - b.created || compareText(a.claim, b.claim),
    )
    .slice(0, PACKET_LIMITS.signatures);
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The primary user id first, then the oldest. */
function byUserId(a: Component, b: Component): number {
  const rank = (component: Component): number =>
    component.bindings[0]?.primaryUserId === true ? component.bindings[0].created : -1;
  const age = (component: Component): number => component.bindings.at(-1)?.created ?? 0;
  return rank(b) - rank(a) || age(a) - age(b) || Buffer.compare(a.packet.body, b.packet.body);
}

const bySubkey = (a: Subkey, b: Subkey): number =>
  a.facts.created - b.facts.created || compareText(a.facts.fingerprint, b.facts.fingerprint);

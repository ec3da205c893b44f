import { PACKET_LIMITS } from '../packets/limits.js';
import { betterBack } from './back.js';
import { type Certificate, type Component, isBound, type Proven, type Subkey } from './components.js';
import { idOf, keepBetter } from './draft.js';
import { isHard, isUserIdRevoked } from './revoked.js';

/** Puts everything in the one order and cuts it to the limits (keystore contract §3.4), so that equal content is equal bytes. */
export function canonical(certificate: Certificate): Certificate {
  const subkeys = certificate.subkeys.map((subkey) => ({ ...subkey, ...ordered(subkey) }));
  return {
    ...certificate,
    revocations: orderRevocations(certificate.revocations),
    direct: newest(certificate.direct),
    userIds: cut(certificate.userIds.map(ordered), newerUserId).sort(byUserId),
    subkeys: cut(subkeys, newerSubkey).sort(bySubkey),
  };
}

/** Everything of both, verified before; neither the order nor the grouping of merging matters. */
export function mergeCertificates(one: Certificate, other: Certificate): Certificate {
  return canonical({
    ...one,
    revocations: unite(one.revocations, other.revocations),
    direct: unite(one.direct, other.direct),
    userIds: mergeComponents(one.userIds, other.userIds, (a) => a),
    subkeys: mergeComponents(one.subkeys, other.subkeys, (a, b) => ({
      ...a,
      back: betterBack(a.back, b.back),
    })),
  });
}

function mergeComponents<C extends Component>(
  one: readonly C[],
  other: readonly C[],
  combine: (one: C, other: C) => C,
): C[] {
  const merged = new Map(one.map((component) => [idOf(component.packet), component]));
  for (const component of other) {
    const known = merged.get(idOf(component.packet));
    const both = known && {
      ...combine(known, component),
      bindings: unite(known.bindings, component.bindings),
      revocations: unite(known.revocations, component.revocations),
    };
    merged.set(idOf(component.packet), both ?? component);
  }
  return [...merged.values()];
}

function unite(one: readonly Proven[], other: readonly Proven[]): Proven[] {
  const united = new Map<string, Proven>();
  for (const proven of [...one, ...other]) keepBetter(united, proven);
  return [...united.values()];
}

function ordered({ packet, bindings, revocations }: Component): Component {
  return { packet, bindings: newest(bindings), revocations: orderRevocations(revocations) };
}

function newest(signatures: readonly Proven[]): Proven[] {
  return signatures
    .toSorted((a, b) => b.created - a.created || byClaim(a, b))
    .slice(0, PACKET_LIMITS.signatures);
}

/** Hardest first, then earliest: what is cut off never hides that a key was compromised. */
function orderRevocations(revocations: readonly Proven[]): Proven[] {
  return revocations
    .toSorted((a, b) => Number(isHard(b)) - Number(isHard(a)) || a.created - b.created || byClaim(a, b))
    .slice(0, PACKET_LIMITS.signatures);
}

const byClaim = (a: Proven, b: Proven): number => compareText(a.claim, b.claim);
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The first ones in an order, of those that are given out and of those that are only remembered. */
function cut<C extends Component>(components: readonly C[], order: (a: C, b: C) => number): C[] {
  const sorted = components.toSorted(order);
  const most = PACKET_LIMITS.components;
  return [
    ...sorted.filter(isBound).slice(0, most),
    ...sorted.filter((component) => !isBound(component)).slice(0, most),
  ];
}

const newerUserId = (a: Component, b: Component): number => createdOf(b) - createdOf(a) || byBody(a, b);
const createdOf = ({ bindings, revocations }: Component): number =>
  (bindings[0] ?? revocations[0])?.created ?? 0;
const byBody = (a: Component, b: Component): number => Buffer.compare(a.packet.body, b.packet.body);

/**
 * The primary user id first, then the oldest; those that were revoked last, for the first one is shown beside the key. Behind them
 * those that are only remembered.
 */
function byUserId(a: Component, b: Component): number {
  const primary = (component: Component): number => {
    const newest = component.bindings[0];
    return newest?.primaryUserId === true && !isUserIdRevoked(component) ? newest.created : -1;
  };
  const age = ({ bindings }: Component): number => bindings.at(-1)?.created ?? 0;
  return (
    boundFirst(a, b) ||
    primary(b) - primary(a) ||
    Number(isUserIdRevoked(a)) - Number(isUserIdRevoked(b)) ||
    age(a) - age(b) ||
    byBody(a, b)
  );
}

const boundFirst = (a: Component, b: Component): number => Number(isBound(b)) - Number(isBound(a));

const bySubkey = (a: Subkey, b: Subkey): number =>
  boundFirst(a, b) ||
  a.facts.created - b.facts.created ||
  compareText(a.facts.fingerprint, b.facts.fingerprint);

const newerSubkey = (a: Subkey, b: Subkey): number => bySubkey(b, a);

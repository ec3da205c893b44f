import { createHash } from 'node:crypto';
import { packetsOf, type PacketFrame } from '../framing.js';
import { readSignature } from '../packets/signature.js';
import { Tag } from '../packets/tags.js';

const USER_ATTRIBUTE = 17;
const COMPONENTS: readonly number[] = [
  Tag.publicKey,
  Tag.secretKey,
  Tag.userId,
  USER_ATTRIBUTE,
  Tag.publicSubkey,
  Tag.secretSubkey,
];

/** A key, user id or subkey with the signatures that follow it. */
interface Component {
  readonly head: PacketFrame;
  readonly signatures: Map<string, PacketFrame>;
}

/**
 * Two versions of one public certificate as one: everything that either holds, in the order primary key, user ids,
 * subkeys, bytes unchanged. Nothing is judged here; whoever uses the key does that. Merging is idempotent: a version
 * that adds nothing gives the same bytes back.
 */
export function mergeCertificates(stored: Uint8Array, other: Uint8Array): Uint8Array {
  const components = componentsOf(stored);
  let added = false;
  for (const [id, component] of componentsOf(other)) {
    const known = components.get(id);
    if (known === undefined) {
      components.set(id, component);
      added = true;
      continue;
    }
    for (const [signatureId, frame] of component.signatures) {
      if (known.signatures.has(signatureId)) continue;
      known.signatures.set(signatureId, frame);
      added = true;
    }
  }
  if (!added) return stored;
  const ordered = [...components.values()].sort((a, b) => rank(a) - rank(b));
  return Buffer.concat(
    ordered.flatMap(({ head, signatures }) => [
      head.bytes,
      ...[...signatures.values()].map(({ bytes }) => bytes),
    ]),
  );
}

function rank({ head: { tag } }: Component): number {
  if (tag === Tag.publicKey || tag === Tag.secretKey) return 0;
  return tag === Tag.publicSubkey || tag === Tag.secretSubkey ? 2 : 1;
}

function componentsOf(certificate: Uint8Array): Map<string, Component> {
  const components = new Map<string, Component>();
  let current: Component | undefined;
  for (const frame of packetsOf(certificate)) {
    if (COMPONENTS.includes(frame.tag) || current === undefined) {
      const id = identity(frame);
      current = components.get(id) ?? { head: frame, signatures: new Map() };
      components.set(id, current);
    } else current.signatures.set(identity(frame), frame);
  }
  return components;
}

/**
 * What makes two packets the same. The unhashed part of a signature does not count: anybody can change it, and servers
 * strip it.
 */
function identity({ tag, body }: PacketFrame): string {
  if (tag === Tag.signature) {
    try {
      return readSignature(body).identity;
    } catch {
      // Another version or broken: then every byte counts.
    }
  }
  return createHash('sha256').update(Buffer.of(tag)).update(body).digest('hex');
}

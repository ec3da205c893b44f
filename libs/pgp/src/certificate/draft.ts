import { isReadEverywhere, type KeyFacts, readKey } from '../packets/key.js';
import { PACKET_LIMITS } from '../packets/limits.js';
import type { Packet } from '../packets/reader.js';
import { SignatureType } from '../packets/signature.js';
import { Tag } from '../packets/tags.js';
import { attempt } from './attempt.js';
import { betterBack } from './back.js';
import { type Component, needsBack, type Proven, type Subkey } from './components.js';

/** A user id or subkey that is being cleaned, with the signatures that were verified so far. */
export class Draft {
  readonly #bindings = new Map<string, Proven>();
  readonly #revocations = new Map<string, Proven>();
  #back: Proven | undefined;

  /** @param facts of a subkey; undefined for a user id */
  constructor(
    readonly packet: Packet,
    readonly facts: KeyFacts | undefined,
  ) {}

  /** Where a signature of this type belongs; undefined when it is none of this component. */
  listFor(type: number): Map<string, Proven> | undefined {
    if (this.facts !== undefined) {
      if (type === SignatureType.subkeyBinding) return this.#bindings;
      return type === SignatureType.subkeyRevocation ? this.#revocations : undefined;
    }
    if (type >= SignatureType.certificationFirst && type <= SignatureType.certificationLast)
      return this.#bindings;
    return type === SignatureType.certificationRevocation ? this.#revocations : undefined;
  }

  /** The word of the subkey that it belongs here. */
  offerBack(back: Proven): void {
    this.#back = betterBack(this.#back, back);
  }

  asUserId(): Component | undefined {
    return this.facts === undefined && !this.#isEmpty ? this.#component : undefined;
  }

  asSubkey(): Subkey | undefined {
    const { facts } = this;
    if (facts === undefined) return undefined;
    const needing = [...this.#bindings.values()].filter((binding) => needsBack(binding, facts));
    // Of what was stored by laxer rules a word may not be taken any more.
    if (this.#back === undefined) for (const { claim } of needing) this.#bindings.delete(claim);
    if (this.#isEmpty) return undefined;
    return { ...this.#component, facts, back: needing.length > 0 ? this.#back : undefined };
  }

  get #isEmpty(): boolean {
    return this.#bindings.size + this.#revocations.size === 0;
  }

  get #component(): Component {
    return {
      packet: this.packet,
      bindings: [...this.#bindings.values()],
      revocations: [...this.#revocations.values()],
    };
  }
}

/** A draft of a component that may be kept; undefined for others (keystore contract §3.2, §3.3). @param primary of the certificate */
export function drafted(packet: Packet, primary: KeyFacts): Draft | undefined {
  const { tag, body } = packet;
  if (tag === Tag.userId) {
    const isKept = body.length <= PACKET_LIMITS.userIdBytes && !body.includes(0);
    return isKept ? new Draft(packet, undefined) : undefined;
  }
  const facts = attempt(() => readKey(body));
  if (facts?.version !== primary.version) return undefined;
  return isReadEverywhere(facts) || !isReadEverywhere(primary) ? new Draft(packet, facts) : undefined;
}

/** What makes two components the same: what they are, and every byte. */
export const idOf = ({ tag, body }: Packet): string => `${tag} ${Buffer.from(body).toString('latin1')}`;

/**
 * Of two signatures that say the same the one with the smaller body is kept: anybody can turn some signatures into others that
 * are as good, and whoever merges in whatever order must arrive at the same bytes.
 */
export function keepBetter(list: Map<string, Proven>, proven: Proven): void {
  const { claim } = proven;
  const known = list.get(claim);
  if (known === undefined || Buffer.compare(proven.body, known.body) < 0) list.set(claim, proven);
}

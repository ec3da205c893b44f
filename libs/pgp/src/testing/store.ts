import { DomainError, ManualClock } from '#libs/core';
import {
  type Certificate,
  cleanCertificate,
  mergeCertificates,
  type RawCertificate,
  readCleanCertificate,
  requireWhole,
  splitCertificates,
  writeCertificate,
  writeWithheld,
} from '../certificate/index.js';
import { type Packet, readPackets } from '../packets/reader.js';

export const clock = new ManualClock('2026-06-01T00:00:00Z');

/** One certificate as it is stored: bytes, that are read again for every upload. */
export class Store {
  #served: Uint8Array = Buffer.alloc(0);
  #withheld: Uint8Array = Buffer.alloc(0);

  constructor(private readonly primary: Packet) {}

  /** What is stored: what is served, and what is not. */
  get bytes(): string {
    return [this.#served, this.#withheld].map((part) => Buffer.from(part).toString('hex')).join(' ');
  }

  get served(): Uint8Array {
    return this.#served;
  }

  async certificate(): Promise<Certificate | undefined> {
    if (this.#served.length === 0) return undefined;
    const [raw] = splitCertificates([...readPackets(this.#served), ...readPackets(this.#withheld)]);
    return raw && readCleanCertificate(raw);
  }

  /** Takes an upload in, each certificate of it by itself; others than this one are stored elsewhere. @returns why not */
  async add(packets: readonly Packet[]): Promise<string | undefined> {
    let refused: string | undefined;
    for (const raw of splitCertificates(packets)) {
      if (!Buffer.from(raw.primary.body).equals(this.primary.body)) continue;
      try {
        await this.#take(raw);
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        refused ??= error.message;
      }
    }
    return refused;
  }

  async #take(raw: RawCertificate): Promise<void> {
    const known = await this.certificate();
    const sent = await cleanCertificate(raw, clock, { known });
    const merged = known === undefined ? sent : mergeCertificates(known, sent);
    requireWhole(merged);
    this.#served = writeCertificate(merged);
    this.#withheld = writeWithheld(merged);
  }
}

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
import { readUpload, revocationFor } from '../upload/readUpload.js';

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
  add(packets: readonly Packet[]): Promise<string | undefined> {
    return this.#addAll(splitCertificates(packets));
  }

  /** The same of an upload in octets. */
  async upload(octets: Uint8Array): Promise<string | undefined> {
    try {
      const { certificates, revocations } = readUpload(octets);
      const known = await this.certificate();
      const loose = known === undefined ? [] : revocations.map((one) => revocationFor(known, one));
      return await this.#addAll([...certificates, ...loose]);
    } catch (error) {
      if (error instanceof DomainError) return error.message;
      throw error;
    }
  }

  async #addAll(certificates: readonly RawCertificate[]): Promise<string | undefined> {
    let refused: string | undefined;
    for (const raw of certificates) {
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

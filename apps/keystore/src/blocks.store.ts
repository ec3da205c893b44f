import { Inject, Injectable } from '@nestjs/common';
import type { Collection, ScanResult } from '#libs/documents';
import { fingerprintHash } from './certificates.store.js';
import { type Block, BLOCKED, type BlockIndex } from './collections.store.js';
import { DATABASE, type Database } from './database.store.js';

/** Which keys may not come. {@link CertificatesStore.change} writes it. */
@Injectable()
export class BlocksStore {
  readonly #blocked: Collection<Block, BlockIndex>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#blocked = database.collection<Block, BlockIndex>(BLOCKED);
  }

  async get(fingerprint: string): Promise<Block | undefined> {
    return (await this.#blocked.get(fingerprintHash(fingerprint)))?.value;
  }

  /** The oldest first. */
  list(limit: number, cursor: string | undefined): Promise<ScanResult<Block>> {
    return this.#blocked.scan('bySince', { limit, ...(cursor !== undefined && { cursor }) });
  }
}

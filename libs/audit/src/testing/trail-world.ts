import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import type { AuditHead, AuditHeadLine, SigningJwk } from '#libs/contract';
import { ManualClock } from '#libs/core';
import type { Collection, Documents } from '#libs/documents';
import { Chainer } from '../chainer.js';
import type { AuditEvent } from '../event.js';
import { HEADS_BEGIN, HeadsFile } from '../heads-file.js';
import { TrailReader } from '../reader.js';
import {
  type AuditedServiceName,
  CHAIN,
  type ChainedRecord,
  type ChainIndex,
  HEAD,
  type HeadRecord,
  idOf,
  INBOX,
  type InboxIndex,
  type WaitingRecord,
} from '../records.js';
import { signHead } from '../signed-head.js';
import type { TrailSource } from '../source.js';
import { Trail } from '../trail.js';
import { verifyTrail, type VerifyOptions } from '../verify.js';

type Key = JWK & { readonly kid: string };

export async function newKey(): Promise<Key> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(privateKey);
  return { ...jwk, kid: await calculateJwkThumbprint(jwk) };
}

const ANN = {
  accountId: 'a'.repeat(24),
  username: 'ann',
  tokenId: '1'.repeat(24),
  originTokenId: '1'.repeat(24),
  via: undefined,
  from: { address: '192.0.2.7', client: 'sing/0.1.0' },
} as const;

/** An event like those of a library. */
export const tagSet = (n: number, more: Partial<AuditEvent> = {}): AuditEvent => ({
  action: 'tag.set',
  actor: ANN,
  subject: { kind: 'tag', name: `ann/tools/blast:v${n}` },
  after: { digest: `sha256.${String(n).padStart(64, '0')}`, arch: 'amd64' },
  ...more,
});

/** A trail in a database of the caller, with a file of heads of its own. */
export class TrailWorld {
  readonly service: AuditedServiceName = 'library';
  readonly clock = new ManualClock('2026-11-26T10:00:00.000Z');
  readonly warnings: string[] = [];
  readonly trail: Trail;
  readonly chainer: Chainer;
  readonly heads: HeadsFile;
  readonly reader: TrailReader;
  readonly chain: Collection<ChainedRecord, ChainIndex>;
  readonly inbox: Collection<WaitingRecord, InboxIndex>;
  readonly headRecords: Collection<HeadRecord, never>;
  key: Key;

  private constructor(
    readonly documents: Documents,
    readonly folder: string,
    key: Key,
  ) {
    const { service } = this;
    this.key = key;
    this.heads = new HeadsFile(folder, service);
    this.trail = new Trail({ documents, service, clock: this.clock });
    this.chainer = this.anotherChainer();
    this.reader = new TrailReader(documents);
    this.chain = documents.collection<ChainedRecord, ChainIndex>(CHAIN);
    this.inbox = documents.collection<WaitingRecord, InboxIndex>(INBOX);
    this.headRecords = documents.collection<HeadRecord, never>(HEAD);
  }

  /** What is there stays. @param place the folder of an earlier one and its key; a new one when absent */
  static async open(documents: Documents, place?: { folder: string; key: Key }): Promise<TrailWorld> {
    const folder = place?.folder ?? (await mkdtemp(join(tmpdir(), 'scs-trail-')));
    return new TrailWorld(documents, folder, place?.key ?? (await newKey()));
  }

  static async make(documents: Documents): Promise<TrailWorld> {
    const world = await TrailWorld.open(documents);
    await world.#clear();
    return world;
  }

  /** As a replica of the service, or the next process, has one. */
  anotherChainer(): Chainer {
    return new Chainer({
      documents: this.documents,
      service: this.service,
      clock: this.clock,
      warn: (message) => void this.warnings.push(message),
      heads: {
        keep: async (head) => this.heads.append(head, await signHead(head, this.key)),
        newest: () => this.heads.newest(),
      },
    });
  }

  async append(head: Partial<AuditHead>, key = this.key): Promise<void> {
    const whole = {
      service: this.service,
      sequence: 1,
      hash: '0'.repeat(64),
      time: this.clock.now().toISOString(),
      ...head,
    };
    await this.heads.append(whole, await signHead(whole, key));
  }

  /** Records events a second apart; a head is signed after every `every` of them. */
  async happen(count: number, every = 3): Promise<void> {
    for (let n = 1; n <= count; n += 1) {
      this.clock.advance(1000);
      await this.trail.record(tagSet(n));
      if (n % every === 0) await this.chainer.settle();
    }
    await this.chainer.settle();
  }

  async record(sequence: number): Promise<ChainedRecord> {
    const found = await this.chain.get(idOf(sequence));
    if (found === undefined) throw new Error(`There is no entry ${sequence}`);
    return found.value;
  }

  /** As somebody does who may write to the database. */
  put(record: ChainedRecord, id = idOf(record.sequence)): Promise<void> {
    return this.chain.put(id, record);
  }

  async remove(...sequences: readonly number[]): Promise<void> {
    for (const sequence of sequences) await this.chain.delete(idOf(sequence));
  }

  source(): TrailSource {
    const { reader, heads, service } = this;
    return {
      service,
      keys: async () => [publicPart(this.key)],
      async *entries(after) {
        let page = await reader.chain(after, 7);
        for (;;) {
          yield* page.entries;
          if (page.cursor === undefined) return;
          page = await reader.chain(after, 7, page.cursor);
        }
      },
      async *heads() {
        for (let from = HEADS_BEGIN; ;) {
          const page = await heads.read(from, 2);
          yield* page.heads;
          if (page.next === undefined) return;
          from = page.next;
        }
      },
    };
  }

  async headLines(): Promise<AuditHeadLine[]> {
    return (await this.heads.read(HEADS_BEGIN, 500)).heads.slice();
  }

  verify(options: VerifyOptions = {}) {
    return verifyTrail(this.source(), options);
  }

  async close(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  async #clear(): Promise<void> {
    for (const collection of [this.chain, this.inbox] as const) {
      const all = () => collection.scan('byTime', { limit: 500 });
      for (let { items } = await all(); items.length > 0; { items } = await all())
        await this.documents.commit(items.map(({ id }) => collection.write.delete(id)));
    }
    await this.headRecords.delete('head');
  }
}

function publicPart({ kid, x, y }: Key): SigningJwk {
  return { kty: 'EC', crv: 'P-256', x: x ?? '', y: y ?? '', kid, alg: 'ES256', use: 'sig' };
}

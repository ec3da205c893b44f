import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import type { Collection as DocumentCollection, CollectionSpec, Stored } from '#libs/documents';
import { type Change, DATABASE, type Database } from '../database.store.js';

/**
 * An upload, and the space that it has reserved in its entity.
 * `open` → `complete`, for parts by way of `storing` (checked, about to become a blob); or → `ended`, when it was given up. From
 * the first to the last it claims the content.
 */
const UploadDocument = z.object({
  image: z.string(),
  container: z.string(),
  entity: z.string(),
  hash: z.string(),
  kind: z.enum(['single', 'multipart']),
  size: z.number(),
  partSize: z.number(),
  state: z.enum(['open', 'storing', 'complete', 'ended']),
  /** Bytes of the quota that are held for it. */
  reserved: z.number(),
  account: z.string(),
  username: z.string(),
  /** Token ids, of the one that began it or went on with it last: revoking either ends the upload's signed URLs. */
  token: z.string(),
  originToken: z.string(),
  /** The key that signed it: it ends the URLs as well. */
  tokenKey: z.string().optional(),
  /** The service that exchanged the token, for an exchanged one. */
  via: z.string().optional(),
  createdAt: z.number(),
  /** Milliseconds since 1970: when it became complete. */
  doneAt: z.number().optional(),
  /** Milliseconds since 1970: when the sweep looks at it. */
  expiresAt: z.number(),
});
export type UploadDocument = z.infer<typeof UploadDocument>;
export type Upload = Stored<UploadDocument>;

const PartDocument = z.object({
  upload: z.string(),
  number: z.number(),
  /** What the client gives back at the end: it names these bytes and not those of an earlier attempt. */
  token: z.string(),
  receivedAt: z.number(),
});
export type PartDocument = z.infer<typeof PartDocument>;

type UploadIndex = 'byImage' | 'byState' | 'byExpiry' | 'byDone';
const UPLOADS = {
  name: 'uploads',
  schema: UploadDocument,
  indexes: {
    byImage: { fields: ['image', 'createdAt'] },
    byState: { fields: ['state'] },
    byExpiry: { fields: ['expiresAt'] },
    /** Complete ones alone. */
    byDone: { fields: ['originToken', 'doneAt'] },
  },
} as const satisfies CollectionSpec<UploadDocument>;

type PartIndex = 'byNumber' | 'byTime';
const PARTS = {
  name: 'uploadParts',
  schema: PartDocument,
  indexes: { byNumber: { fields: ['upload', 'number'] }, byTime: { fields: ['upload', 'receivedAt'] } },
} as const satisfies CollectionSpec<PartDocument>;

/** Uploads and their parts. */
@Injectable()
export class UploadsStore {
  readonly #uploads: DocumentCollection<UploadDocument, UploadIndex>;
  readonly #parts: DocumentCollection<PartDocument, PartIndex>;

  constructor(@Inject(DATABASE) database: Database) {
    this.#uploads = database.collection<UploadDocument, UploadIndex>(UPLOADS);
    this.#parts = database.collection<PartDocument, PartIndex>(PARTS);
  }

  get(id: string): Promise<Upload | undefined> {
    return this.#uploads.get(id);
  }

  /** Newest first. */
  async ofImage(image: string, limit: number): Promise<readonly Upload[]> {
    return (await this.#uploads.scan('byImage', { equal: [image], direction: 'descending', limit })).items;
  }

  /** All uploads in a state: for the start, when what a crash interrupted is settled. */
  async all(state: UploadDocument['state']): Promise<readonly Upload[]> {
    const uploads: Upload[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#uploads.scan('byState', {
        equal: [state],
        limit: 1000,
        ...(cursor === undefined ? {} : { cursor }),
      });
      uploads.push(...page.items);
      cursor = page.cursor;
    } while (cursor !== undefined);
    return uploads;
  }

  async expiredBefore(time: number, limit: number): Promise<readonly Upload[]> {
    return (await this.#uploads.scan('byExpiry', { before: time, limit })).items;
  }

  /** Complete since `time` with this token or one that was exchanged from it, newest first. */
  async doneFor(originToken: string, time: number, limit: number): Promise<readonly Upload[]> {
    const scan = { equal: [originToken], from: time, direction: 'descending', limit } as const;
    return (await this.#uploads.scan('byDone', scan)).items;
  }

  creation(id: string, upload: UploadDocument): Change {
    return this.#uploads.write.insert(id, upload);
  }

  /** Compare and set. */
  replacement({ id, revision }: Upload, value: UploadDocument): Change {
    return this.#uploads.write.replace(id, revision, value);
  }

  async extend({ id, revision, value }: Upload, expiresAt: number): Promise<void> {
    await this.#uploads.replace(id, revision, { ...value, expiresAt });
  }

  async delete(id: string): Promise<void> {
    await this.#uploads.delete(id);
  }

  /** The same number again replaces what was there. */
  async putPart(part: PartDocument): Promise<void> {
    await this.#parts.put(`${part.upload}/${part.number}`, part);
  }

  async removePart(upload: string, number: number): Promise<void> {
    await this.#parts.delete(`${upload}/${number}`);
  }

  async part(upload: string, number: number): Promise<PartDocument | undefined> {
    return (await this.#parts.get(`${upload}/${number}`))?.value;
  }

  /** In the order of their numbers. */
  async parts(upload: string): Promise<readonly PartDocument[]> {
    const parts: PartDocument[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.#parts.scan('byNumber', {
        equal: [upload],
        limit: 1000,
        ...(cursor === undefined ? {} : { cursor }),
      });
      parts.push(...page.items.map(({ value }) => value));
      cursor = page.cursor;
    } while (cursor !== undefined);
    return parts;
  }

  /** When the last part arrived; undefined when none did. */
  async lastArrival(upload: string): Promise<number | undefined> {
    const { items } = await this.#parts.scan('byTime', {
      equal: [upload],
      direction: 'descending',
      limit: 1,
    });
    return items[0]?.value.receivedAt;
  }

  async deleteParts(upload: string): Promise<void> {
    for (const { number } of await this.parts(upload)) await this.removePart(upload, number);
  }
}

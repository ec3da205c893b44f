import { parseDigest } from '#libs/core';
import type { Upload } from '../uploads/documents.store.js';
import type { Look } from './look.js';
import { containerPath } from './paths.js';
import type { CheckParts, Shown, Suspect, Walk, Walked } from './room.store.js';
import { all, byId } from './tables.store.js';

/** Uploads under way, their parts and their bytes that are not a blob yet, both ways. */
export class UploadsCheck {
  readonly #parts: CheckParts;

  constructor(parts: CheckParts) {
    this.#parts = parts;
  }

  get walks(): readonly Walk[] {
    return [
      { name: 'uploads', part: (from) => this.#uploads(from) },
      { name: 'parts', part: (from) => this.#strayParts(from) },
      { name: 'incoming', part: () => this.#incoming() },
    ];
  }

  async #uploads(from: string | undefined): Promise<Walked> {
    const { tables, blobs, limits } = this.#parts;
    const options = { limit: limits.checkedPart, ...(from === undefined ? {} : { cursor: from }) };
    const { items, cursor } = await tables.uploads.scan('byExpiry', options);
    const there = new Set((await blobs.incoming()).map(({ id }) => id));
    const suspects = items
      .filter((upload) => isUnderWay(upload) && !there.has(upload.id))
      .map(({ id }): Suspect => ({ name: id, look: (look) => this.#lookAtUpload(id, look) }));
    return { suspects, next: cursor };
  }

  /** Parts are said to be there, and no bytes are: neither those of the upload, nor the blob that they have become. */
  async #lookAtUpload(id: string, look: Look): Promise<Shown> {
    const { tables, blobs, limits } = this.#parts;
    const upload = await tables.uploads.get(id);
    look.sawDocument(upload);
    if (upload === undefined || !isUnderWay(upload)) return { differences: [] };
    const { items } = await tables.parts.scan('byNumber', { equal: [id], limit: limits.repairWrites - 10 });
    for (const part of items) look.sawDocument(part);
    const isThere = (await blobs.incoming()).some((one) => one.id === id);
    const { hash, size, kind, state } = upload.value;
    const isChecked = kind === 'single' || state === 'storing';
    const isStored = isChecked && (await blobs.sizeOf(parseDigest(hash))) === size;
    look.saw(isThere, isStored);
    if (items.length === 0 || isThere || isStored) return { differences: [] };
    const container = await tables.containers.get(upload.value.container);
    const name = container === undefined ? id : `${containerPath(container)}@${hash}`;
    // The client sends them again, or nobody does and the sweep gives the upload up.
    const mend = [
      ...items.map((part) => tables.parts.write.delete(part.id, part.revision)),
      tables.uploads.write.replace(id, upload.revision, upload.value),
    ];
    const numbers = { recorded: items.length, counted: 0 };
    const problem = { kind: 'upload_bytes_missing', name, what: id, ...numbers } as const;
    return { differences: [{ problem, subject: 'upload', mend }] };
  }

  async #strayParts(from: string | undefined): Promise<Walked> {
    const { tables, limits } = this.#parts;
    const options = { limit: limits.checkedPart, ...(from === undefined ? {} : { cursor: from }) };
    const { items, cursor } = await tables.parts.scan('byNumber', options);
    const uploads = await byId(
      tables.uploads,
      items.map(({ value }) => value.upload),
    );
    const ids = new Set(items.map(({ value }) => value.upload).filter((id) => !uploads.has(id)));
    const suspects = [...ids].map((id): Suspect => ({
      name: id,
      look: (look) => this.#lookAtParts(id, look),
    }));
    return { suspects, next: cursor };
  }

  async #lookAtParts(upload: string, look: Look): Promise<Shown> {
    const { tables, limits } = this.#parts;
    const found = await tables.uploads.get(upload);
    look.sawDocument(found);
    const mend = [];
    let counted = 0;
    for await (const part of all(tables.parts, 'byNumber', [upload])) {
      look.sawDocument(part);
      counted += 1;
      if (mend.length < limits.repairWrites - 10)
        mend.push(tables.parts.write.delete(part.id, part.revision));
    }
    if (found !== undefined || counted === 0) return { differences: [] };
    const problem = { kind: 'part_stray', name: upload, recorded: counted, counted: 0 } as const;
    return { differences: [{ problem, subject: 'upload', mend }] };
  }

  /** Bytes that no upload knows, and that the sweep should have removed long ago. */
  async #incoming(): Promise<Walked> {
    const { tables, blobs, clock, limits } = this.#parts;
    const before = clock.now().getTime() - limits.sweepGrace;
    const old = (await blobs.incoming()).filter(
      ({ active, modifiedAt }) => !active && modifiedAt.getTime() < before,
    );
    const uploads = await byId(
      tables.uploads,
      old.map(({ id }) => id),
    );
    const suspects = old
      .filter(({ id }) => {
        const upload = uploads.get(id);
        return upload === undefined || !isUnderWay(upload);
      })
      .map(({ id }): Suspect => ({
        name: id,
        look: (look) => this.#lookAtIncoming(id, new Date(before), look),
      }));
    return { suspects, next: undefined };
  }

  async #lookAtIncoming(id: string, before: Date, look: Look): Promise<Shown> {
    const { tables, blobs } = this.#parts;
    const isAlive = async (one: string): Promise<boolean> => {
      const upload = await tables.uploads.get(one);
      return upload !== undefined && isUnderWay(upload);
    };
    const found = (await blobs.incoming()).find((one) => one.id === id);
    const isStray = found !== undefined && !found.active && found.modifiedAt < before && !(await isAlive(id));
    look.saw(isStray);
    if (!isStray) return { differences: [] };
    const problem = { kind: 'upload_bytes_stray', name: id } as const;
    const afterwards = async (): Promise<void> => {
      await blobs.sweep({ isAlive: async (one) => one !== id || (await isAlive(one)), before });
    };
    return { differences: [{ problem, subject: 'upload', mend: [] }], afterwards };
  }
}

function isUnderWay({ value: { state } }: Upload): boolean {
  return state === 'open' || state === 'storing';
}

import { type Digest, parseDigest } from '#libs/core';
import type { Stored, Write } from '#libs/documents';
import type { LibraryProblemKind } from '#libs/contract';
import type { Image } from '../images/documents.store.js';
import {
  type ContentDocument,
  type DamageReason,
  type HoldingDocument,
  holdingId,
} from '../storage/documents.store.js';
import type { Upload } from '../uploads/documents.store.js';
import { Look } from './look.js';
import { containerPath } from './paths.js';
import type { CheckOptions, CheckParts, Difference, Shown, Suspect, Walk, Walked } from './room.store.js';
import type { Rehash } from './rehash.store.js';
import { all, byId } from './tables.store.js';

/** Images of one content whose records a repair holds fast. */
const HELD_FAST = 100;

/** Everything about one content: the images that have it, who says to need it, and its bytes. */
interface Seen {
  readonly hash: string;
  readonly content: Stored<ContentDocument> | undefined;
  /** Uploaded ones whose container is there. */
  readonly images: readonly Image[];
  /** By the ids of their entities. */
  readonly held: ReadonlyMap<string, { readonly size: number; readonly images: number }>;
  readonly holdings: ReadonlyMap<string, Stored<HoldingDocument>>;
  readonly uploads: number;
  /** Bytes of the blob. */
  readonly stored: number | undefined;
  readonly damage: DamageReason | undefined;
  /** How people call it. */
  readonly name: string;
}

/** Contents: who needs them (`contents`, `holdings`), against the images and the uploads under way, and against the blobs; both ways. */
export class ContentsCheck {
  readonly #parts: CheckParts;
  readonly #rehash: Rehash;

  constructor(parts: CheckParts, rehash: Rehash) {
    this.#parts = parts;
    this.#rehash = rehash;
  }

  get walks(): readonly Walk[] {
    return [
      { name: 'holdings', part: (from) => this.#holdings(from) },
      { name: 'contents', part: (from) => this.#contents(from) },
      { name: 'blobs', part: (from, options) => this.#blobs(from, options) },
      { name: 'damaged', part: (from) => this.#damaged(from) },
    ];
  }

  /** @param entity that is said to have it */
  suspect(hash: string, entity?: string): Suspect {
    return {
      name: hash,
      look: async (look) =>
        this.#shown(await this.#see(hash, look, await this.#parts.tables.claimingUploads(), entity)),
    };
  }

  /** What entities are said to have: all of it belongs to images that are there. */
  async #holdings(from: string | undefined): Promise<Walked> {
    const { tables, limits } = this.#parts;
    const options = { limit: limits.checkedPart, ...(from === undefined ? {} : { cursor: from }) };
    const { items, cursor } = await tables.holdings.scan('bySize', options);
    const suspects: Suspect[] = [];
    for (const { id } of items) {
      const [entity = '', hash = ''] = id.split('/', 2);
      const images = await this.#imagesOf(hash, new Look());
      const held = heldBy(images.uploaded, images.entities);
      // One that says the wrong number is seen from the content.
      if (!held.has(entity)) suspects.push(onlyAbout(this.suspect(hash, entity), 'holding_stray'));
    }
    return { suspects, next: cursor };
  }

  async #contents(from: string | undefined): Promise<Walked> {
    const { tables, limits } = this.#parts;
    const options = { limit: limits.checkedPart, ...(from === undefined ? {} : { cursor: from }) };
    const { items, cursor } = await tables.contents.scan('byState', options);
    const uploads = await tables.claimingUploads();
    const suspects: Suspect[] = [];
    let [documents, store] = [0, 0];
    for (const { id } of items) {
      const seen = await this.#see(id, new Look(), uploads);
      if (seen.held.size > 0) {
        documents += seen.content?.value.size ?? 0;
        store += seen.stored ?? 0;
      }
      const { differences } = this.#shown(seen);
      // Damaged ones have their own walk.
      if (differences.some(({ problem }) => problem.kind !== 'blob_damaged'))
        suspects.push(notAbout(this.suspect(id), 'blob_damaged'));
    }
    return { bytes: { documents, store }, suspects, next: cursor };
  }

  /** Blobs of which nobody knows; with `rehash`, what is in all of them. */
  async #blobs(from: string | undefined, { rehash }: CheckOptions): Promise<Walked> {
    const { blobs, tables, limits } = this.#parts;
    const page = await blobs.list(from === undefined ? undefined : parseDigest(from), limits.checkedPart);
    const contents = await byId(
      tables.contents,
      page.map(({ digest }) => digest),
    );
    const suspects: Suspect[] = [];
    let [count, hashed, store] = [0, 0, 0];
    let last: Digest | undefined;
    for (const { digest, size, storedAt } of page) {
      if (rehash && hashed >= limits.rehashedPart)
        return { blobs: count, bytes: { hashed, store }, suspects, next: last };
      if (rehash && contents.has(digest)) {
        const progress = await this.#rehash.of(digest, limits.rehashWait);
        if (!progress.isDone) {
          const hashing = { hash: digest, done: progress.done, size };
          return { blobs: count, bytes: { hashed, store }, suspects, hashing, next: last ?? from ?? FIRST };
        }
        hashed += progress.done;
      }
      count += 1;
      last = digest;
      const age = this.#parts.clock.now().getTime() - storedAt.getTime();
      if (contents.has(digest) || age < limits.strayBlobAge) continue;
      store += size;
      suspects.push(this.suspect(digest));
    }
    return {
      blobs: count,
      bytes: { hashed, store },
      suspects,
      next: page.length < limits.checkedPart ? undefined : last,
    };
  }

  /** What hashing has shown, now or in the background. */
  async #damaged(from: string | undefined): Promise<Walked> {
    const { health, limits } = this.#parts;
    const { damages, next } = await health.list(limits.checkedPart, from);
    return { suspects: damages.map(({ id }) => onlyAbout(this.suspect(id), 'blob_damaged')), next };
  }

  async #imagesOf(
    hash: string,
    look: Look,
  ): Promise<{ uploaded: Image[]; entities: Map<string, string>; names: string[] }> {
    const { tables } = this.#parts;
    const uploaded: Image[] = [];
    for await (const image of all(tables.images, 'byHash', [hash])) {
      look.sawDocument(image);
      if (image.value.uploaded) uploaded.push(image);
    }
    const containers = await byId(
      tables.containers,
      uploaded.map(({ value }) => value.container),
    );
    for (const { id } of containers.values()) look.saw(id);
    return {
      uploaded: uploaded.filter(({ value }) => containers.has(value.container)),
      entities: new Map([...containers.values()].map(({ id, value }) => [id, value.entity])),
      names: [...containers.values()].map((container) => `${containerPath(container)}@${hash}`),
    };
  }

  async #see(hash: string, look: Look, claiming: readonly Upload[], entity?: string): Promise<Seen> {
    const { tables, blobs, health } = this.#parts;
    const content = await tables.contents.get(hash);
    look.sawDocument(content);
    const { uploaded, entities, names } = await this.#imagesOf(hash, look);
    const held = heldBy(uploaded, entities);
    const uploads = claiming.filter(({ value }) => value.hash === hash);
    for (const upload of uploads) look.sawDocument(upload);
    const asked = [...held.keys(), ...(entity === undefined ? [] : [entity])];
    const found = await byId(
      tables.holdings,
      asked.map((one) => holdingId(one, hash)),
    );
    for (const holding of found.values()) look.sawDocument(holding);
    const stored = isDigest(hash) ? await blobs.sizeOf(hash) : undefined;
    const damage = await health.damageOf(hash);
    look.saw(stored, damage);
    const holdings = new Map([...found].map(([id, holding]) => [id.split('/', 1)[0] ?? '', holding]));
    const name = names[0] ?? hash;
    return {
      hash,
      content,
      images: uploaded,
      held,
      holdings,
      uploads: uploads.length,
      stored,
      damage,
      name,
    };
  }

  /** What is wrong with a content. */
  #shown(seen: Seen): Shown {
    const { hash, content, held, uploads, stored, damage, name } = seen;
    const { tables, clock } = this.#parts;
    const now = clock.now().getTime();
    const size = [...held.values()][0]?.size ?? content?.value.size ?? stored ?? 0;
    const claims = held.size + uploads;
    const differences = this.#holdingDifferences(seen);
    const add = (
      kind: LibraryProblemKind,
      numbers: { what?: string; recorded?: number; counted?: number },
      mend?: readonly Write[],
    ): void => {
      const problem = { kind, name, ...numbers };
      differences.push({ problem, subject: 'blob', ...(mend === undefined ? {} : { mend }) });
    };
    const removing: ContentDocument = { size, claims: 0, state: 'removing', removingSince: now };
    let isGarbage = false;
    if (content === undefined && claims > 0) {
      const value: ContentDocument = { size, claims, state: 'claimed' };
      add('content_missing', { recorded: 0, counted: claims }, [tables.contents.write.insert(hash, value)]);
    } else if (content === undefined && stored !== undefined) {
      // Whoever claims it from now on waits until it is gone, and brings it again.
      isGarbage = true;
      add('blob_stray', { recorded: 0, counted: stored }, [tables.contents.write.insert(hash, removing)]);
    } else if (content !== undefined && claims === 0) {
      const { state, removingSince = 0 } = content.value;
      // A removal takes moments; one that takes longer is finished by the sweep.
      if (state === 'claimed' || removingSince < now - this.#parts.limits.removalGrace) {
        isGarbage = true;
        const write = tables.contents.write.replace(hash, content.revision, removing);
        add('content_stray', { recorded: content.value.claims, counted: 0 }, [write]);
      }
    } else if (content !== undefined) {
      const { state, claims: recorded } = content.value;
      if (state !== 'claimed' || recorded !== claims || content.value.size !== size) {
        const value: ContentDocument = { size, claims, state: 'claimed' };
        const write = tables.contents.write.replace(hash, content.revision, value);
        if (state !== 'claimed' || recorded !== claims)
          add('content_wrong', { what: 'claims', recorded, counted: claims }, [write]);
        else add('content_wrong', { what: 'size', recorded: content.value.size, counted: size }, [write]);
      }
    }
    if (held.size > 0) {
      if (stored === undefined) add('blob_missing', { recorded: size, counted: 0 });
      else if (stored !== size) add('blob_wrong_size', { recorded: size, counted: stored });
      if (damage !== undefined) add('blob_damaged', { what: damage, counted: stored ?? 0 });
    }
    return {
      differences: this.#heldFast(seen, differences),
      ...(isGarbage ? { afterwards: () => this.#discard(hash) } : {}),
    };
  }

  #holdingDifferences({ hash, held, holdings, name }: Seen): Difference[] {
    const { holdings: table } = this.#parts.tables;
    const differences: Difference[] = [];
    for (const [entity, { size, images }] of held) {
      const found = holdings.get(entity);
      if (found?.value.size === size && found.value.images === images) continue;
      const mend =
        found === undefined
          ? [table.write.insert(holdingId(entity, hash), { size, images })]
          : [table.write.replace(found.id, found.revision, { ...found.value, size, images })];
      const kind = found === undefined ? 'holding_missing' : 'holding_wrong';
      const isSize = found !== undefined && found.value.size !== size;
      const numbers = isSize
        ? { recorded: found.value.size, counted: size }
        : { recorded: found?.value.images ?? 0, counted: images };
      differences.push({ problem: { kind, name, what: entity, ...numbers }, subject: 'entity', mend });
    }
    for (const [entity, { id, revision, value }] of holdings) {
      if (held.has(entity)) continue;
      const problem = {
        kind: 'holding_stray',
        name,
        what: entity,
        recorded: value.images,
        counted: 0,
      } as const;
      differences.push({ problem, subject: 'entity', mend: [table.write.delete(id, revision)] });
    }
    return differences;
  }

  /** Images that are deleted at this moment, or get another content, make a repair that counted them fail. */
  #heldFast({ images }: Seen, differences: readonly Difference[]): readonly Difference[] {
    const [first, ...rest] = differences.filter(({ mend }) => mend !== undefined);
    if (first?.mend === undefined) return differences;
    const { write } = this.#parts.tables.images;
    const fast = images
      .slice(0, HELD_FAST)
      .map(({ id, revision, value }) => write.replace(id, revision, value));
    const held = { ...first, mend: [...first.mend, ...fast] };
    return [...differences.filter(({ mend }) => mend === undefined), held, ...rest];
  }

  /** As whoever releases the last claim does it. */
  async #discard(hash: string): Promise<void> {
    const { tables, blobs, health } = this.#parts;
    const found = await tables.contents.get(hash);
    if (found?.value.state !== 'removing') return;
    if (isDigest(hash)) await blobs.remove(hash);
    await health.forget(hash);
    await tables.contents.delete(hash, found.revision);
  }
}

/** A place before every digest. */
const FIRST = `sha256.${'0'.repeat(64)}`;

function isDigest(hash: string): hash is Digest {
  return /^sha256\.[0-9a-f]{64}$/.test(hash);
}

function heldBy(
  images: readonly Image[],
  entities: ReadonlyMap<string, string>,
): Map<string, { size: number; images: number }> {
  const held = new Map<string, { size: number; images: number }>();
  for (const { value } of images) {
    const entity = entities.get(value.container);
    if (entity === undefined) continue;
    held.set(entity, { size: value.size, images: (held.get(entity)?.images ?? 0) + 1 });
  }
  return held;
}

const onlyAbout = (suspect: Suspect, kind: LibraryProblemKind): Suspect =>
  filtered(suspect, ({ problem }) => problem.kind === kind);
const notAbout = (suspect: Suspect, kind: LibraryProblemKind): Suspect =>
  filtered(suspect, ({ problem }) => problem.kind !== kind);

/** One walk, one kind of difference: nothing is said twice. */
function filtered({ name, look }: Suspect, keep: (difference: Difference) => boolean): Suspect {
  return {
    name,
    look: async (seen) => {
      const shown = await look(seen);
      return { ...shown, differences: shown.differences.filter(keep) };
    },
  };
}

import { isDigest } from '#libs/core';
import type { Write } from '#libs/documents';
import type { Label } from '../images/imageDetails.js';
import { readImageFacts } from '../images/imageFacts.js';
import type { Image } from '../images/documents.store.js';
import { hashId } from '../images/documents.store.js';
import type { ContentsCheck } from './contents.store.js';
import type { Look } from './look.js';
import { imageTerms, isUnmarked, sameTerm, type Terms } from '../search/documents.store.js';
import { readTerm } from '../search/searchTerms.js';
import type { Container } from '../tree/documents.store.js';
import { seenTerms } from './objects.store.js';
import { containerPath } from './paths.js';
import type { CheckParts, Difference, Shown, Suspect, Walk, Walked } from './room.store.js';
import { all, byId } from './tables.store.js';

/** Images with the hash and the tags that lead to them, both ways. */
export class ImagesCheck {
  readonly #parts: CheckParts;
  readonly #contents: ContentsCheck;

  constructor(parts: CheckParts, contents: ContentsCheck) {
    this.#parts = parts;
    this.#contents = contents;
  }

  get walks(): readonly Walk[] {
    return [
      { name: 'images', part: (from) => this.#images(from) },
      { name: 'hashes', part: (from) => this.#hashes(from) },
      { name: 'tags', part: (from) => this.#tags(from) },
    ];
  }

  async #images(from: string | undefined): Promise<Walked> {
    const { tables, limits } = this.#parts;
    const options = { limit: limits.checkedPart, ...(from === undefined ? {} : { cursor: from }) };
    const { items, cursor } = await tables.images.scan('byContainer', options);
    const hashes = await byId(
      tables.hashes,
      items.map(({ value }) => hashId(value.container, value.hash)),
    );
    const containers = await byId(
      tables.containers,
      items.map(({ value }) => value.container),
    );
    const contents = await byId(
      tables.contents,
      items.map(({ value }) => value.hash),
    );
    const wanted = items.flatMap((image) => [...this.#termsOf(image, containers.get(image.value.container))]);
    const terms = await byId(
      tables.terms,
      wanted.map(([id]) => id),
    );
    const untold = new Set(
      wanted.filter(([id, term]) => !sameTerm(terms.get(id)?.value, term)).map(([, { target }]) => target),
    );
    const suspects: Suspect[] = [];
    for (const { id, value } of items) {
      const { container, hash, uploaded } = value;
      const leads = hashes.get(hashId(container, hash))?.value.image === id;
      if (!leads || !containers.has(container) || untold.has(id) || isUnread(value))
        suspects.push({ name: id, look: (look) => this.#lookAtImage(id, look) });
      // Every other thing about a content is seen from it.
      if (uploaded && !contents.has(hash) && (await this.#firstOf(hash)) === id)
        suspects.push(this.#contents.suspect(hash));
    }
    return { images: items.length, suspects, next: cursor };
  }

  /** The image that speaks for its content: it is said once. */
  async #firstOf(hash: string): Promise<string | undefined> {
    for await (const { id, value } of all(this.#parts.tables.images, 'byHash', [hash]))
      if (value.uploaded) return id;
    return undefined;
  }

  async #lookAtImage(id: string, look: Look): Promise<Shown> {
    const { tables } = this.#parts;
    const image = await tables.images.get(id);
    look.sawDocument(image);
    if (image === undefined) return { differences: [] };
    const { container, hash } = image.value;
    const parent = await tables.containers.get(container);
    const path = parent && `${containerPath(parent)}@${hash}`;
    // One that came with an older version.
    const labels = isUnread(image.value) ? await this.#labelsIn(image) : undefined;
    const value = labels === undefined ? image.value : { ...image.value, labels };
    const wanted = this.#termsOf({ ...image, value }, parent);
    look.saw(parent?.id, seenTerms(wanted));
    const differences: Difference[] = [];
    if (path === undefined)
      differences.push({ problem: { kind: 'parent_missing', name: id, what: container }, subject: 'image' });
    const name = path ?? id;
    const found = await tables.hashes.get(hashId(container, hash));
    look.sawDocument(found);
    if (found === undefined) {
      const mend = [tables.hashes.write.insert(hashId(container, hash), { image: id })];
      differences.push({ problem: { kind: 'hash_missing', name }, subject: 'image', mend });
    } else if (found.value.image !== id) {
      const other = await tables.images.get(found.value.image);
      look.sawDocument(other);
      const isTwice = other?.value.container === container && other.value.hash === hash;
      const mend = [tables.hashes.write.replace(found.id, found.revision, { image: id })];
      const problem = { kind: 'hash_wrong', name, what: found.value.image } as const;
      // Two records of one content: which of them is meant is not for us to say.
      differences.push({ problem, subject: 'image', ...(isTwice ? {} : { mend }) });
    }
    const { write } = tables.terms;
    if (labels !== undefined) {
      const mend = [...wanted].map(([termId, term]) => write.put(termId, term));
      differences.push({ problem: { kind: 'labels_missing', name }, subject: 'image', mend });
      return { differences: this.#heldFast({ ...image, value }, differences) };
    }
    const terms = await byId(tables.terms, wanted.keys());
    const unmarked: Write[] = [];
    for (const [termId, term] of wanted) {
      const found = terms.get(termId);
      look.sawDocument(found);
      if (sameTerm(found?.value, term)) continue;
      if (found !== undefined && isUnmarked(found.value, term)) {
        unmarked.push(write.replace(termId, found.revision, term));
        continue;
      }
      const mend = [
        found === undefined ? write.insert(termId, term) : write.replace(termId, found.revision, term),
      ];
      const kind = found === undefined ? 'term_missing' : 'term_wrong';
      differences.push({ problem: { kind, name, what: readTerm(term.term).word }, subject: 'image', mend });
    }
    // All of an image came with the same version: it is said once.
    if (unmarked.length > 0)
      differences.push({ problem: { kind: 'terms_unmarked', name }, subject: 'image', mend: unmarked });
    return { differences: this.#heldFast(image, differences) };
  }

  #termsOf(image: Image, container: Container | undefined): Terms {
    return container === undefined ? new Map() : imageTerms(image, container);
  }

  /** What its file says; undefined where there is none to read, which is said of its content. */
  async #labelsIn({ value: { hash } }: Image): Promise<Label[] | undefined> {
    const { blobs } = this.#parts;
    const digest = isDigest(hash) ? hash : undefined;
    if (digest === undefined || (await blobs.sizeOf(digest)) === undefined) return undefined;
    const blob = await blobs.open(digest);
    try {
      return [...(await readImageFacts(blob)).labels];
    } finally {
      await blob.close();
    }
  }

  /** An image that is deleted at this moment makes the repair fail; with it, what its record lacks is written. */
  #heldFast(image: Image, differences: readonly Difference[]): readonly Difference[] {
    const first = differences.find(({ mend }) => mend !== undefined);
    if (first?.mend === undefined) return differences;
    const fast = this.#parts.tables.images.write.replace(image.id, image.revision, image.value);
    return differences.map((one) => (one === first ? { ...one, mend: [...(first.mend ?? []), fast] } : one));
  }

  async #hashes(from: string | undefined): Promise<Walked> {
    const { tables, limits } = this.#parts;
    const options = { limit: limits.checkedPart, ...(from === undefined ? {} : { cursor: from }) };
    const { items, cursor } = await tables.hashes.scan('byImage', options);
    const images = await byId(
      tables.images,
      items.map(({ value }) => value.image),
    );
    const suspects = items
      .filter(({ id, value }) => !leads(id, images.get(value.image)))
      .map(({ id }) => ({ name: id, look: (look: Look) => this.#lookAtHash(id, look) }));
    return { suspects, next: cursor };
  }

  async #lookAtHash(id: string, look: Look): Promise<Shown> {
    const { tables } = this.#parts;
    const found = await tables.hashes.get(id);
    look.sawDocument(found);
    if (found === undefined) return { differences: [] };
    const image = await tables.images.get(found.value.image);
    look.sawDocument(image);
    if (leads(id, image)) return { differences: [] };
    const [container = '', hash = ''] = id.split('/', 2);
    // One that should lead to another image is seen from that.
    for await (const other of all(tables.images, 'byHash', [hash])) {
      look.sawDocument(other);
      if (other.value.container === container) return { differences: [] };
    }
    const place = await tables.containers.get(container);
    const name = place === undefined ? id : `${containerPath(place)}@${hash}`;
    const problem = { kind: 'hash_stray', name, what: found.value.image } as const;
    const mend = [tables.hashes.write.delete(id, found.revision)];
    return { differences: [{ problem, subject: 'image', mend }] };
  }

  async #tags(from: string | undefined): Promise<Walked> {
    const { tables, limits } = this.#parts;
    const options = { limit: limits.checkedPart, ...(from === undefined ? {} : { cursor: from }) };
    const { items, cursor } = await tables.tags.scan('byContainer', options);
    const images = await byId(
      tables.images,
      items.map(({ value }) => value.image),
    );
    const suspects = items
      .filter(({ value }) => images.get(value.image)?.value.container !== value.container)
      .map(({ id }) => ({ name: id, look: (look: Look) => this.#lookAtTag(id, look) }));
    return { suspects, next: cursor };
  }

  async #lookAtTag(id: string, look: Look): Promise<Shown> {
    const { tables } = this.#parts;
    const tag = await tables.tags.get(id);
    look.sawDocument(tag);
    if (tag === undefined) return { differences: [] };
    const { container, image, arch, tag: name } = tag.value;
    const found = await tables.images.get(image);
    look.sawDocument(found);
    if (found?.value.container === container) return { differences: [] };
    const place = await tables.containers.get(container);
    const path = `${place === undefined ? container : containerPath(place)}:${name}`;
    const mend = [
      tables.tags.write.delete(id, tag.revision),
      ...(place === undefined ? [] : [tables.containers.write.increment(container, 'tags', -1)]),
    ];
    const problem = { kind: 'tag_stray', name: path, what: arch } as const;
    return { differences: [{ problem, subject: 'tag', mend }] };
  }
}

/** Whether nobody has looked yet what the file says of itself. */
function isUnread({ uploaded, format, labels }: Image['value']): boolean {
  return uploaded && format === 'sif' && labels === undefined;
}

/** Whether a look-up by hash leads to this image. */
function leads(id: string, image: Image | undefined): boolean {
  return image !== undefined && hashId(image.value.container, image.value.hash) === id;
}

import { defineCommand, jsonFlag } from '#libs/cli';
import type { LibraryCheckPart, LibraryProblem } from '#libs/contract';
import { withLibrary } from './client.js';

export const libraryCheck = defineCommand({
  name: 'check',
  summary: 'compare all documents of the library with each other and with the image data, both ways',
  description:
    'Every image with its bytes, and every blob with whoever needs it; what is counted of entities, collections, containers and tags with what there is; ' +
    'names, hashes, tags and words of the search with what they lead to; uploads under way with their parts and bytes. ' +
    'It is right while others push and delete: what looks different is looked at again until it stands still. ' +
    'Nothing but damage from outside makes them differ, or blobs and databases that were put back from different days. ' +
    'With --repair what can be made from the rest is made, and blobs that nobody needs are removed; each repair is in the audit trail. Bytes that are lost or damaged come back with the next push of the same image. ' +
    'Exits with 1 when something is wrong and was not repaired.',
  flags: {
    repair: { type: 'boolean', summary: 'put right what is wrong' },
    strict: { type: 'boolean', summary: 'exit with 1 for anything that differs, repaired or not' },
    rehash: {
      type: 'boolean',
      summary: 'read and hash all image data now, besides what the library does by itself',
    },
    offline: {
      type: 'boolean',
      summary:
        'work on database and blobs of an instance that is stopped, with the settings that it is started with',
    },
    ...jsonFlag,
  },
  examples: [
    { line: 'scs library check', summary: 'while it runs, as often as you like' },
    { line: 'scs library check --rehash', summary: 'after a disk has reported errors' },
    { line: 'scs library check --offline --repair', summary: 'after a database was put back' },
  ],
  async run(ctx) {
    const { repair, strict, rehash, offline, json } = ctx.flags;
    const problems: LibraryProblem[] = [];
    const unsettled: string[] = [];
    const sums = { objects: 0, images: 0, blobs: 0, documents: 0, store: 0, difference: 0, hashed: 0 };
    const bar = rehash ? ctx.progress.bytes('Hashing', undefined) : undefined;
    const take = (part: LibraryCheckPart): void => {
      sums.objects += part.objects;
      sums.images += part.images;
      sums.blobs += part.blobs;
      sums.documents += part.bytes.documents;
      sums.store += part.bytes.store;
      sums.difference += part.bytes.difference;
      sums.hashed += part.bytes.hashed;
      problems.push(...part.problems);
      unsettled.push(...part.unsettled);
      bar?.update(sums.hashed + (part.hashing?.done ?? 0));
      if (!json) for (const problem of part.problems) ctx.out.line(lineOf(problem));
    };
    try {
      if (offline) {
        const { checkOffline } = await import('./offline.store.js');
        await checkOffline(ctx, { repair, rehash }, take);
      } else
        await withLibrary(ctx, async (client) => {
          for await (const part of client.check({ repair, rehash })) take(part);
        });
    } finally {
      bar?.stop();
    }
    const open = problems.filter(({ repaired }) => !repaired).length;
    const { objects, images, blobs, documents, store, difference, hashed } = sums;
    const bytes = { documents, store, difference, ...(rehash ? { hashed } : {}) };
    if (json) ctx.out.json({ objects, images, blobs, bytes, problems, unsettled });
    else {
      for (const name of unsettled)
        ctx.out.line(`${name} was being changed all the time and was not compared`);
      ctx.out.line(
        `${bytes.documents} bytes in the documents, ${bytes.store} bytes in the store: ${difference} bytes of difference` +
          (rehash ? `, ${hashed} bytes hashed` : ''),
      );
      ctx.out.line(
        `${objects} objects, ${images} images, ${blobs} blobs: ${
          problems.length === 0
            ? 'nothing is wrong'
            : `${problems.length} problems, ${problems.length - open} repaired`
        }`,
      );
    }
    if (strict) return problems.length + unsettled.length === 0 ? 0 : 1;
    return open === 0 ? 0 : 1;
  },
});

const SAID: Readonly<Record<LibraryProblem['kind'], string>> = {
  name_missing: 'is not found by its path',
  name_wrong: 'is not what its path leads to, which is',
  name_stray: 'is a path that leads to',
  term_missing: 'is not found by the word',
  term_wrong: 'is found wrongly by the word',
  term_stray: 'is said to be found by the word',
  audience_wrong: 'is not in the list of those who may see it',
  parent_missing: 'lies in what is not there:',
  hash_missing: 'is not found by its hash',
  hash_wrong: 'is not what its hash leads to, which is',
  hash_stray: 'is a hash that leads to',
  tag_stray: 'is a tag of an image that is not there, for',
  labels_missing: 'is not found by its labels: it came with an older version',
  terms_unmarked: 'is found by words without a mark of its architecture: they came with an older version',
  signatures_missing: 'has signatures that nobody has looked at, as what came with an older version',
  signatures_stray: 'is an image that is not there, or not signed, and has signatures',
  signers_wrong: 'has not the signers that its record names',
  claim_missing: 'is not found by the key',
  claim_stray: 'is a key that leads to an image without a signature by it:',
  holding_missing: 'is not counted in the entity',
  holding_wrong: 'is counted wrongly in the entity',
  holding_stray: 'is counted though it is not there in the entity',
  content_missing: 'is needed, and nothing says so',
  content_wrong: 'is written down wrongly:',
  content_stray: 'is said to be needed by somebody',
  blob_missing: 'has no bytes: push it again',
  blob_wrong_size: 'has bytes of another length: push it again',
  blob_damaged: 'has damaged bytes, push it again:',
  blob_stray: 'is a blob that nobody needs',
  upload_bytes_missing: 'is being uploaded, and its bytes are gone: upload',
  upload_bytes_stray: 'are bytes of an upload that is over',
  part_stray: 'are parts of an upload that is not there',
  star_stray: 'is a star of a container that is not there:',
  webhook_stray: 'is a webhook of an entity that is not there:',
  delivery_stray: 'is a webhook that is not there, and has deliveries',
  feed_wrong: 'is wrong about the event that comes',
  container_tags: 'counts other tags than it has',
  container_stars: 'counts other stars than it has',
  container_size: 'counts other bytes than its images have',
  collection_size: 'counts other bytes than its images have',
  entity_size: 'counts other bytes than its images have',
  entity_held: 'holds other bytes than images and uploads under way',
  account_size: 'is an account that counts other bytes than what it brought',
  account_held: 'is an account that holds other bytes than images and uploads under way',
};

function lineOf({ kind, name, what, recorded, counted, repaired }: LibraryProblem): string {
  const about = what === undefined || kind === 'audience_wrong' ? '' : ` ${what}`;
  const numbers =
    recorded === undefined && counted === undefined
      ? ''
      : ` (${recorded === undefined ? '' : `written down: ${recorded}, `}there: ${counted ?? 0})`;
  return `${name} ${SAID[kind]}${about}${numbers}${repaired ? ' (repaired)' : ''}`;
}

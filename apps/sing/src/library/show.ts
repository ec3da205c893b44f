import { defineCommand, formatSize, jsonFlag, type Output, UsageError } from '#libs/cli';
import type { LibraryCollection, ManagedContainer, ManagedEntity, Retention } from '#libs/contract';
import { archFlag } from '../image/library.js';
import { fields } from './fields.js';
import { kindOf, namesImage, parsePlace, pathPositional, withManagement } from './path.js';
import { showImage } from './show-image.js';

export const libraryShow = defineCommand({
  name: 'show',
  summary: 'show an entity, a collection, a container with its README, or an image without pulling it',
  description:
    'Of an image: who has signed it, signature by signature, and its labels, help and definition. ' +
    'States of signatures: good, changed (over something else), key_unknown (not in the keystore), key_revoked, key_expired, bad, other (not OpenPGP).',
  positionals: [{ name: 'path', summary: `${pathPositional.summary}; with :TAG or :sha256.HASH an image` }],
  flags: {
    ...archFlag,
    definition: { type: 'boolean', summary: 'of an image: print its definition alone' },
    ...jsonFlag,
  },
  flagsAnywhere: true,
  examples: [
    { line: 'sing library show alice/tools/blast', summary: 'what it is for, and its settings' },
    {
      line: 'sing library show alice/tools/blast:v1',
      summary: 'who has signed it, and what it says of itself',
    },
    { line: 'sing library show --definition alice/tools/blast:v1', summary: 'what it was built from' },
  ],
  async run(ctx) {
    if (namesImage(ctx.args.path)) {
      await showImage(ctx, ctx.args.path, ctx.flags);
      return;
    }
    if (ctx.flags.definition)
      throw new UsageError('library show', 'A definition is in an image', {
        remedy: `Say which one: sing library show --definition ${ctx.args.path}:TAG`,
      });
    const path = parsePlace(ctx.args.path);
    const { out } = ctx;
    await withManagement(ctx, { change: false }, async (library) => {
      switch (kindOf(path)) {
        case 'entity': {
          const entity = await library.entity(path);
          if (ctx.flags.json) out.json({ entities: [entity] });
          else showEntity(out, entity);
          break;
        }
        case 'collection': {
          const collection = await library.collection(path);
          if (ctx.flags.json) out.json({ collections: [collection] });
          else showCollection(out, collection);
          break;
        }
        case 'container': {
          const container = await library.container(path);
          if (ctx.flags.json) out.json({ containers: [container] });
          else showContainer(out, container);
        }
      }
    });
  },
});

function showEntity(out: Output, entity: ManagedEntity): void {
  const { name, size, quota, defaultPrivate, protectedTags, requiredSigners, retention } = entity;
  fields(out, [
    ['Entity', name],
    ['Description', entity.description],
    ['Size', `${formatSize(size)} of ${quota === 0 ? 'no limit' : formatSize(quota)}`],
    ['New containers', defaultPrivate ? 'private' : 'public'],
    ['Protected tags', protectedTags.join(', ')],
    ['Signed on push', keysOf(requiredSigners?.push)],
    ['Signed on pull', keysOf(requiredSigners?.pull)],
    ['Kept images', retention === null ? 'all' : rulesOf(retention)],
    ['Made', madeBy(entity)],
  ]);
}

function showCollection(out: Output, collection: LibraryCollection): void {
  fields(out, [
    ['Collection', `${collection.entityName}/${collection.name}`],
    ['Description', collection.description],
    ['Size', formatSize(collection.size)],
    ['Seen by', collection.private ? 'members' : 'everybody'],
    ['Made', madeBy(collection)],
  ]);
}

function showContainer(out: Output, container: ManagedContainer): void {
  const { entityName, collectionName, name, archTags, retention } = container;
  const tags = Object.entries(archTags).flatMap(([arch, tagged]) =>
    Object.keys(tagged).map((tag) => `${tag} (${arch})`),
  );
  fields(out, [
    ['Container', `library://${entityName}/${collectionName}/${name}`],
    ['Description', container.description],
    ['Tags', tags.sort((a, b) => (a < b ? -1 : 1)).join(', ')],
    ['Size', formatSize(container.size)],
    ['Seen by', container.private ? 'members' : 'everybody'],
    ['Takes images', container.readOnly ? 'no (read-only)' : 'yes'],
    ['Pulls', String(container.downloadCount)],
    ['Stars', String(container.stars)],
    ['Protected tags', container.protectedTags.join(', ')],
    ['Kept images', retention === null ? 'all' : rulesOf(retention)],
    ['Made', madeBy(container)],
  ]);
  if (container.fullDescription === '') return;
  out.line();
  out.foreign(container.fullDescription.trimEnd());
}

/** Who must have signed, one of them. */
function keysOf(fingerprints: readonly string[] | undefined): string {
  return fingerprints === undefined ? 'need not be' : `by ${fingerprints.join(' or ').toUpperCase()}`;
}

/** Rules as a person reads them. */
function rulesOf({ keepLast, keepDays, keepTags, apply }: Retention): string {
  return [
    ...(keepLast === undefined ? [] : [`the last ${keepLast} of each architecture`]),
    ...(keepDays === undefined ? [] : [`pushed or pulled within ${keepDays} days`]),
    ...(keepTags === undefined ? [] : [`tagged ${keepTags.join(', ')}`]),
    ...(apply === 'daily' ? ['applied once a day'] : []),
  ].join('; ');
}

function madeBy({ createdAt, createdBy }: { createdAt: string; createdBy: string }): string {
  return [createdAt.slice(0, 10), ...(createdBy === '' ? [] : [`by ${createdBy}`])].join(' ');
}

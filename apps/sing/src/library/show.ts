import { defineCommand, formatSize, jsonFlag, type Output, printable } from '#libs/cli';
import type { LibraryCollection, ManagedContainer, ManagedEntity, Retention } from '#libs/contract';
import { kindOf, parsePlace, pathPositional, withManagement } from './path.js';

export const libraryShow = defineCommand({
  name: 'show',
  summary: 'show an entity, a collection, or a container with its README',
  positionals: [pathPositional],
  flags: jsonFlag,
  flagsAnywhere: true,
  examples: [{ line: 'sing library show alice/tools/blast', summary: 'what it is for, and its settings' }],
  async run(ctx) {
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
  const { name, size, quota, defaultPrivate, protectedTags } = entity;
  fields(out, [
    ['Entity', name],
    ['Description', entity.description],
    ['Size', `${formatSize(size)} of ${quota === 0 ? 'no limit' : formatSize(quota)}`],
    ['New containers', defaultPrivate ? 'private' : 'public'],
    ['Protected tags', protectedTags.join(', ')],
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

/** Rules as a person reads them. */
function rulesOf({ keepLast, keepDays, keepTags }: Retention): string {
  return [
    ...(keepLast === undefined ? [] : [`the last ${keepLast} of each architecture`]),
    ...(keepDays === undefined ? [] : [`pushed or pulled within ${keepDays} days`]),
    ...(keepTags === undefined ? [] : [`tagged ${keepTags.join(', ')}`]),
  ].join('; ');
}

function fields(out: Output, lines: readonly (readonly [string, string])[]): void {
  const width = Math.max(...lines.map(([name]) => name.length)) + 3;
  for (const [name, value] of lines)
    out.line(`${`${name}:`.padEnd(width)}${value === '' ? '-' : printable(value)}`);
}

function madeBy({ createdAt, createdBy }: { createdAt: string; createdBy: string }): string {
  return [createdAt.slice(0, 10), ...(createdBy === '' ? [] : [`by ${createdBy}`])].join(' ');
}

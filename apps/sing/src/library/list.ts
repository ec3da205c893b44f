import { defineCommand, formatSize, jsonFlag } from '#libs/cli';
import type { LibraryManageClient, ManagedPath } from '#libs/client';
import { firstLine } from './first-line.js';
import { parsePlace, pathPositional, withManagement } from './path.js';

/** A list as a table and as data. */
interface Listing {
  /** The plural noun. */
  readonly noun: string;
  readonly items: readonly object[];
  readonly titles: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export const libraryList = defineCommand({
  name: 'list',
  aliases: ['ls'],
  summary: 'list entities, or what lies in one, in a collection, in a container',
  description:
    'Without a path: the entities that you belong to. In a container: its images with their tags, newest first.',
  positionals: [{ ...pathPositional, optional: true }],
  flags: jsonFlag,
  flagsAnywhere: true,
  examples: [
    { line: 'sing library list', summary: 'where you can push to' },
    { line: 'sing library list alice/tools', summary: 'the containers of a collection' },
    { line: 'sing library list --json alice/tools/blast', summary: 'its images, for a program' },
  ],
  async run(ctx) {
    const path = ctx.args.path === undefined ? [] : parsePlace(ctx.args.path);
    const { noun, items, titles, rows } = await withManagement(
      ctx,
      { change: path.length === 0 },
      (library) => LISTS[path.length]?.(library, path) ?? listImages(library, path),
    );
    if (ctx.flags.json) ctx.out.json({ [noun]: items });
    else if (items.length > 0) ctx.out.table(titles, rows);
    else ctx.log.info(path.length === 0 ? NOWHERE : `There are no ${noun} in ${path.join('/')}.`);
  },
});

const NOWHERE = 'You have no entity yet. The first push makes one: sing push FILE library://NAME/…';

type List = (library: LibraryManageClient, path: ManagedPath) => Promise<Listing>;
const LISTS: readonly List[] = [listEntities, listCollections, listContainers, listImages];

async function listEntities(library: LibraryManageClient): Promise<Listing> {
  const items = await library.entities();
  return {
    noun: 'entities',
    items,
    titles: ['NAME', 'SIZE', 'QUOTA', 'DESCRIPTION'],
    rows: items.map(({ name, size, quota, description }) => [
      name,
      formatSize(size),
      quota === 0 ? 'none' : formatSize(quota),
      firstLine(description),
    ]),
  };
}

async function listCollections(library: LibraryManageClient, path: ManagedPath): Promise<Listing> {
  const items = await library.collections(path);
  return {
    noun: 'collections',
    items,
    titles: ['NAME', 'PRIVATE?', 'SIZE', 'DESCRIPTION'],
    rows: items.map((each) => [
      each.name,
      mark(each.private),
      formatSize(each.size),
      firstLine(each.description),
    ]),
  };
}

async function listContainers(library: LibraryManageClient, path: ManagedPath): Promise<Listing> {
  const items = await library.containers(path);
  return {
    noun: 'containers',
    items,
    titles: ['NAME', 'PRIVATE?', 'READ-ONLY?', 'TAGS', 'PULLS', 'SIZE', 'DESCRIPTION'],
    rows: items.map((each) => [
      each.name,
      mark(each.private),
      mark(each.readOnly),
      String(each.tags),
      String(each.downloadCount),
      formatSize(each.size),
      firstLine(each.description),
    ]),
  };
}

async function listImages(library: LibraryManageClient, path: ManagedPath): Promise<Listing> {
  const items = await library.images(path);
  return {
    noun: 'images',
    items,
    titles: ['TAGS', 'ARCH', 'SIZE', 'SIGNED?', 'PUSHED', 'HASH'],
    rows: items.map((each) => [
      each.tags.join(',') || '-',
      each.arch ?? '-',
      each.uploaded ? formatSize(each.size) : 'not uploaded',
      mark(each.signed),
      each.createdAt.slice(0, 16).replace('T', ' '),
      each.hash,
    ]),
  };
}

function mark(value: boolean): string {
  return value ? '✓' : '';
}

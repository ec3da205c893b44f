import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { defineCommand, type Surroundings, UsageError } from '#libs/cli';
import type { ManagedPath } from '#libs/client';
import { kindOf, parsePlace, pathPositional, type PlaceKind, withManagement } from './path.js';
import { retentionFlags, rulesIn } from './retention-flags.js';

const COMMAND = 'library set';

export const librarySet = defineCommand({
  name: 'set',
  summary: 'describe an entity, a collection or a container, and say who sees it and what stays',
  description:
    'Changes what is named and nothing else. Writers describe; owners decide who sees it, which tags are protected and which images are kept; quotas come from administrators. ' +
    'A collection that becomes private takes its containers along. A protected tag is set once, and neither moved nor removed.',
  positionals: [pathPositional],
  flags: {
    description: { type: 'string', short: 'D', value: 'TEXT', summary: 'what it is for, in a line' },
    readme: {
      type: 'string',
      value: 'FILE',
      summary: 'README of a container, in Markdown; - for standard input',
    },
    private: {
      type: 'boolean',
      summary: 'only members see it; of an entity: what is made in it from now on',
    },
    public: { type: 'boolean', summary: 'everybody sees it' },
    'read-only': { type: 'boolean', summary: 'the container takes no more images' },
    writable: { type: 'boolean', summary: 'the container takes images again' },
    'protect-tag': {
      type: 'list',
      value: 'PATTERN',
      commas: true,
      summary: 'tags that stay, for example v*, of a container or an entity; takes the place of those before',
    },
    'protect-none': { type: 'boolean', summary: 'no tag is protected' },
    ...retentionFlags,
    'keep-all': { type: 'boolean', summary: 'no image is removed by rules' },
    quota: {
      type: 'integer',
      value: 'BYTES',
      minimum: 0,
      summary: 'of an entity, 0 for no limit; for administrators',
    },
  },
  flagsAnywhere: true,
  examples: [
    {
      line: 'sing library set alice/tools/blast -D "BLAST+" --readme README.md',
      summary: 'what people read about it',
    },
    { line: 'sing library set alice/tools --private', summary: 'with all its containers' },
    { line: 'sing library set alice/tools/blast --protect-tag "v*"', summary: 'releases stay as they are' },
    { line: 'sing library set alice/tools/blast --keep-last 5', summary: 'for: sing library retain' },
  ],
  async run(ctx) {
    const path = parsePlace(ctx.args.path);
    const kind = kindOf(path);
    const change = await changeOf(ctx, kind, ctx.flags);
    if (Object.keys(change).length === 0) throw new UsageError(COMMAND, 'Say what to change');
    await withManagement(ctx, { change: true }, async (library) => {
      const send: Record<PlaceKind, (path: ManagedPath, change: object) => Promise<unknown>> = {
        entity: (...args) => library.changeEntity(...args),
        collection: (...args) => library.changeCollection(...args),
        container: (...args) => library.changeContainer(...args),
      };
      await send[kind](path, change);
    });
    ctx.log.info(`The ${kind} ${path.join('/')} was changed.`);
  },
});

type SetFlags = Parameters<typeof rulesIn>[0] & {
  readonly description: string | undefined;
  readonly readme: string | undefined;
  readonly private: boolean;
  readonly public: boolean;
  readonly 'read-only': boolean;
  readonly writable: boolean;
  readonly 'protect-tag': readonly string[];
  readonly 'protect-none': boolean;
  readonly 'keep-all': boolean;
  readonly quota: number | undefined;
};

/** The body of the request. @throws UsageError for what the object does not have */
async function changeOf(place: Surroundings, kind: PlaceKind, flags: SetFlags): Promise<object> {
  const seen = oneOf(flags, 'private', 'public');
  const readOnly = oneOf(flags, 'read-only', 'writable');
  if (flags['protect-none'] && flags['protect-tag'].length > 0) throw both('protect-tag', 'protect-none');
  const rules = rulesIn(flags);
  if (flags['keep-all'] && rules !== undefined) throw both('keep-all', 'the other rules');
  const change = {
    description: flags.description,
    fullDescription: flags.readme === undefined ? undefined : await readText(place, flags.readme),
    [kind === 'entity' ? 'defaultPrivate' : 'private']: seen,
    readOnly,
    protectedTags: flags['protect-none'] ? [] : nonEmpty(flags['protect-tag']),
    retention: flags['keep-all'] ? null : rules,
    quota: flags.quota,
  };
  const given = Object.entries(change).filter(([, value]) => value !== undefined);
  for (const [name] of given)
    if (!HAS[kind].includes(name))
      throw new UsageError(COMMAND, `${kind === 'entity' ? 'An' : 'A'} ${kind} has no ${SAID[name] ?? name}`);
  return Object.fromEntries(given);
}

const HAS: Readonly<Record<PlaceKind, readonly string[]>> = {
  entity: ['description', 'defaultPrivate', 'protectedTags', 'quota'],
  collection: ['description', 'private'],
  container: ['description', 'fullDescription', 'private', 'readOnly', 'protectedTags', 'retention'],
};
const SAID: Readonly<Record<string, string>> = {
  fullDescription: 'README',
  readOnly: 'switch to take no more images',
  protectedTags: 'protected tags of its own',
  retention: 'rules for images',
};

function oneOf<K extends keyof SetFlags>(flags: SetFlags, yes: K, no: K): boolean | undefined {
  if (flags[yes] && flags[no]) throw both(yes, no);
  if (flags[yes]) return true;
  return flags[no] ? false : undefined;
}

function both(one: string, other: string): UsageError {
  return new UsageError(
    COMMAND,
    `--${one} and ${other.includes(' ') ? other : `--${other}`} exclude each other`,
  );
}

function nonEmpty(list: readonly string[]): readonly string[] | undefined {
  return list.length === 0 ? undefined : list;
}

function readText({ cwd, stdin }: Surroundings, file: string): Promise<string> {
  return file === '-' ? textOf(stdin) : readFile(resolve(cwd, file), 'utf8');
}

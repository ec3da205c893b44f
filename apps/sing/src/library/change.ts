import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import { type Surroundings, UsageError } from '#libs/cli';
import type { RequiredSigners, Retention } from '#libs/contract';
import type { PlaceKind } from './path.js';
import { rulesIn } from './retention-flags.js';
import { parseSize } from './size-flag.js';

export const COMMAND = 'library set';

/** Flags of `sing library set`. */
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
  readonly 'apply-daily': boolean;
  readonly 'apply-asked': boolean;
  readonly 'signers-push': readonly string[];
  readonly 'signers-pull': readonly string[];
  readonly 'signers-none': boolean;
  readonly quota: string | undefined;
};

/** What is to be changed. Of rules that the library replaces as a whole, it may be a part. */
export interface WantedChange {
  readonly description?: string;
  readonly fullDescription?: string;
  readonly defaultPrivate?: boolean;
  readonly private?: boolean;
  readonly readOnly?: boolean;
  readonly protectedTags?: string[];
  readonly quota?: number;
  /** null: none. `rules` are new ones; without them, those that are set are applied in another way. */
  readonly retention?: { readonly rules?: Retention; readonly apply?: 'asked' | 'daily' } | null;
  /** Without `whole` what is not named stays; null: none. */
  readonly requiredSigners?: (RequiredSigners & { readonly whole: boolean }) | null;
}

/** What the flags say. @throws UsageError for what the object does not have */
export async function changeOf(place: Surroundings, kind: PlaceKind, flags: SetFlags): Promise<WantedChange> {
  const seen = oneOf(flags, 'private', 'public');
  const readOnly = oneOf(flags, 'read-only', 'writable');
  if (flags['protect-none'] && flags['protect-tag'].length > 0) throw both('protect-tag', 'protect-none');
  const change: { readonly [K in keyof WantedChange]: WantedChange[K] | undefined } = {
    description: flags.description,
    fullDescription: flags.readme === undefined ? undefined : await readText(place, flags.readme),
    [kind === 'entity' ? 'defaultPrivate' : 'private']: seen,
    readOnly,
    protectedTags: flags['protect-none'] ? [] : nonEmpty(flags['protect-tag']),
    retention: retentionIn(flags),
    requiredSigners: signersIn(flags),
    quota: flags.quota === undefined ? undefined : parseSize(flags.quota, '--quota'),
  };
  const given = Object.entries(change).filter(([, value]) => value !== undefined);
  for (const [name] of given)
    if (!HAS[kind].includes(name))
      throw new UsageError(COMMAND, `${kind === 'entity' ? 'An' : 'A'} ${kind} has no ${SAID[name] ?? name}`);
  return Object.fromEntries(given);
}

function retentionIn(flags: SetFlags): WantedChange['retention'] {
  const rules = rulesIn(flags);
  const daily = oneOf(flags, 'apply-daily', 'apply-asked');
  if (flags['keep-all']) {
    if (rules !== undefined || daily !== undefined) throw both('keep-all', 'the other rules');
    return null;
  }
  if (rules === undefined && daily === undefined) return undefined;
  return {
    ...(rules === undefined ? {} : { rules }),
    ...(daily === undefined ? {} : { apply: daily ? 'daily' : 'asked' }),
  };
}

function signersIn(flags: SetFlags): WantedChange['requiredSigners'] {
  // As gpg prints them, in groups of four.
  const [push, pull] = [flags['signers-push'], flags['signers-pull']].map((list) =>
    nonEmpty(list.map((fingerprint) => fingerprint.replaceAll(/\s/g, ''))),
  );
  if (push === undefined && pull === undefined) return flags['signers-none'] ? null : undefined;
  return {
    whole: flags['signers-none'],
    ...(push === undefined ? {} : { push }),
    ...(pull === undefined ? {} : { pull }),
  };
}

const HAS: Readonly<Record<PlaceKind, readonly string[]>> = {
  entity: ['description', 'defaultPrivate', 'protectedTags', 'retention', 'requiredSigners', 'quota'],
  collection: ['description', 'private'],
  container: ['description', 'fullDescription', 'private', 'readOnly', 'protectedTags', 'retention'],
};
const SAID: Readonly<Record<string, string>> = {
  fullDescription: 'README',
  readOnly: 'switch to take no more images',
  protectedTags: 'protected tags of its own',
  retention: 'rules for images',
  requiredSigners: 'rule who must have signed: the entity has it',
};

function oneOf(flags: SetFlags, yes: keyof SetFlags, no: keyof SetFlags): boolean | undefined {
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

function nonEmpty(list: readonly string[]): string[] | undefined {
  return list.length === 0 ? undefined : [...list];
}

function readText({ cwd, stdin }: Surroundings, file: string): Promise<string> {
  return file === '-' ? textOf(stdin) : readFile(resolve(cwd, file), 'utf8');
}

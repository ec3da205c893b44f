import type { LibraryManageClient, ManagedPath } from '#libs/client';
import type { ChangeContainerRequest, ChangeEntityRequest, RequiredSigners, Retention } from '#libs/contract';
import { DomainError } from '#libs/core';
import type { WantedChange } from './change.js';
import { kindOf } from './path.js';

/** The body of a request for any of them: what one does not have is not in the change. */
type Change = Omit<Partial<ChangeEntityRequest> & Partial<ChangeContainerRequest>, 'name'>;

/**
 * The library replaces rules as a whole: what was not said of them is taken from those that are set.
 * @throws DomainError `conflict` where there are no rules that could be applied in another way
 */
export async function completed(
  library: LibraryManageClient,
  path: ManagedPath,
  { retention, requiredSigners, ...change }: WantedChange,
): Promise<Change> {
  const isWhole = (retention ?? null) === null && (requiredSigners?.whole ?? true);
  const set = isWhole ? undefined : await rulesOf(library, path);
  return {
    ...change,
    ...(retention === undefined ? {} : { retention: wholeRetention(retention, set?.retention, path) }),
    ...(requiredSigners === undefined ? {} : { requiredSigners: wholeSigners(requiredSigners, set) }),
  };
}

interface Rules {
  readonly retention: Retention | null;
  readonly requiredSigners?: RequiredSigners | null;
}

function rulesOf(library: LibraryManageClient, path: ManagedPath): Promise<Rules> {
  return kindOf(path) === 'entity' ? library.entity(path) : library.container(path);
}

function wholeRetention(
  wanted: NonNullable<WantedChange['retention']> | null,
  set: Retention | null | undefined,
  path: ManagedPath,
): Retention | null {
  if (wanted === null) return null;
  const rules = wanted.rules ?? set;
  const apply = wanted.apply ?? set?.apply;
  if (rules) return { ...rules, ...(apply === undefined ? {} : { apply }) };
  throw new DomainError('conflict', `${path.join('/')} has no rules that could be applied`, {
    reason: 'no_retention',
    remedy: `Say which images are kept, too: sing library set ${path.join('/')} --keep-last 5 --apply-daily`,
  });
}

function wholeSigners(
  wanted: NonNullable<WantedChange['requiredSigners']> | null,
  set: Rules | undefined,
): RequiredSigners | null {
  if (wanted === null) return null;
  const { whole, ...signers } = wanted;
  return whole ? signers : { ...set?.requiredSigners, ...signers };
}

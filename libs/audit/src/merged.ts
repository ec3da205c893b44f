import { z } from 'zod';
import {
  type AuditEntry,
  type AuditHeadLine,
  type AuditHeadsQuery,
  type AuditQuery,
  AuditedService,
} from '#libs/contract';
import { DomainError, expected } from '#libs/core';
import { HEADS_BEGIN, type HeadsFile } from './heads-file.js';
import type { ListedPage, TrailReader } from './reader.js';
import type { AuditedServiceName } from './records.js';

export interface Page<T> {
  readonly items: readonly T[];
  /** Present when there is more. */
  readonly cursor?: string;
}

/** How far each service's list was read; null: to its end. */
const Places = z.partialRecord(AuditedService, z.string().max(200).nullable());
type Places = z.infer<typeof Places>;

const HeadsCursor = z.tuple([AuditedService, z.number().int().nonnegative(), z.number().int().positive()]);

/**
 * The entries of several services as one list, newest first; or with `after` the chain of one.
 * @throws DomainError `bad_request` for a cursor that is none, `not_found` when the chain of another service is asked for
 */
export async function listTrails(
  readers: ReadonlyMap<AuditedServiceName, TrailReader>,
  query: AuditQuery,
): Promise<Page<AuditEntry>> {
  const { service, after, limit, cursor } = query;
  const chosen = [...readers].filter(([name]) => service === undefined || name === service);
  if (after !== undefined) {
    const reader = chosen[0]?.[1];
    if (reader === undefined) throw notHere(service);
    const { entries, ...rest } = await reader.chain(after, limit, cursor);
    return { items: entries, ...rest };
  }
  const places = cursor === undefined ? {} : parseCursor(Places, cursor);
  const open = chosen.filter(([name]) => places[name] !== null);
  const pages = await Promise.all(
    open.map(async ([name, reader]) => ({
      name,
      page: await reader.list(query, limit, places[name] ?? undefined),
    })),
  );
  return merge(pages, places, limit);
}

function merge(
  pages: readonly { readonly name: AuditedServiceName; readonly page: ListedPage }[],
  places: Places,
  limit: number,
): Page<AuditEntry> {
  // Below the place up to which the least was read, entries of that service may be missing.
  const horizon = pages
    .map(({ page }) => page.reached ?? '')
    .toSorted()
    .at(-1);
  const taken = pages
    .flatMap(({ name, page }) => page.listed.map((listed) => ({ name, ...listed })))
    .filter(({ place }) => place >= (horizon ?? ''))
    .toSorted((a, b) => (a.place < b.place ? 1 : -1))
    .slice(0, limit);
  const next: Places = { ...places };
  for (const { name, page } of pages) {
    const mine = taken.filter((one) => one.name === name);
    const whole = mine.length === page.listed.length;
    const reached = whole ? (page.reached ?? null) : (mine.at(-1)?.place ?? places[name]);
    if (reached !== undefined) next[name] = reached;
  }
  const more = pages.some(({ name }) => next[name] !== null);
  return {
    items: taken.map(({ entry }) => entry),
    ...(more ? { cursor: writeCursor(next) } : {}),
  };
}

/** Lines of the files of heads, one service after the other. @throws DomainError `bad_request` for a cursor that is none */
export async function listHeads(
  files: ReadonlyMap<AuditedServiceName, HeadsFile>,
  query: AuditHeadsQuery,
): Promise<Page<AuditHeadLine>> {
  const { service, newest, limit, cursor } = query;
  const names = [...files.keys()].filter((name) => service === undefined || name === service);
  if (newest === 'true') {
    const found = await Promise.all(names.map(async (name) => files.get(name)?.newest()));
    return { items: found.filter((line) => line !== undefined) };
  }
  const [first, offset, line] =
    cursor === undefined
      ? [names[0], HEADS_BEGIN.offset, HEADS_BEGIN.line]
      : parseCursor(HeadsCursor, cursor);
  const index = first === undefined ? -1 : names.indexOf(first);
  const file = first === undefined ? undefined : files.get(first);
  if (index === -1 || file === undefined) return { items: [] };
  const page = await file.read({ offset, line }, limit);
  const following = names[index + 1];
  if (page.next !== undefined)
    return { items: page.heads, cursor: writeCursor([first, page.next.offset, page.next.line]) };
  return {
    items: page.heads,
    ...(following === undefined
      ? {}
      : { cursor: writeCursor([following, HEADS_BEGIN.offset, HEADS_BEGIN.line]) }),
  };
}

function writeCursor(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function parseCursor<S extends z.ZodType>(schema: S, cursor: string): z.output<S> {
  try {
    return schema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
  } catch (cause) {
    throw new DomainError('bad_request', expected('a cursor of this very list', 'cursor', cursor), {
      reason: 'bad_cursor',
      cause,
    });
  }
}

function notHere(service: string | undefined): DomainError {
  return new DomainError('not_found', `The service ${service ?? ''} does not run in this process`, {
    reason: 'service_not_here',
  });
}

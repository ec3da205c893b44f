import { DomainError } from '#libs/core';
import type { Actor, Retention } from '#libs/contract';
import { type Change, commitPlan, type Database } from '../database.store.js';
import { LIMITS } from '../limits.js';
import { type Decision, mayDescribe, mayManage, type Subject } from '../policy.js';

/** Members of a change that only say what something is for: writers may change them. */
const TEXTS: ReadonlySet<string> = new Set(['description', 'fullDescription', 'customData']);

/** Whether the actor may make a change, by what it is about. */
export function mayChange(actor: Actor, subject: Subject, request: object): Decision {
  const onlyTexts = Object.keys(given(request)).every((member) => TEXTS.has(member));
  return onlyTexts ? mayDescribe(actor, subject) : mayManage(actor, subject);
}

/** The members that a change has: what is absent stays as it is. */
export function given<T extends object>(request: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/**
 * The members of rules that are set, in whatever has some. Rules that the library applies by itself are applied for the first time in a
 * day: whoever has set them looks at a dry run until then.
 * @param retention undefined: they stay as they are; null: they go
 * @param now milliseconds since 1970
 */
export function rulesFrom(
  retention: Retention | null | undefined,
  now: number,
): { readonly retention?: Retention | undefined; readonly retainAt?: number | undefined } {
  if (retention === undefined) return {};
  const retainAt = retention?.apply === 'daily' ? now + LIMITS.retentionRound : undefined;
  return { retention: retention ?? undefined, retainAt };
}

/**
 * Reads an object, decides and writes until nobody was faster. @returns the object as it is then
 * @throws what `absent` says when it is not there; whatever `plan` throws
 */
export async function changeObject<T>(
  database: Database,
  get: () => Promise<T | undefined>,
  options: {
    readonly absent: () => DomainError;
    readonly plan: (object: T) => readonly Change[] | Promise<readonly Change[]>;
  },
): Promise<T> {
  const read = async (): Promise<T> => {
    const object = await get();
    if (object === undefined) throw options.absent();
    return object;
  };
  await commitPlan(database, async () => ({ writes: await options.plan(await read()), result: undefined }));
  return read();
}

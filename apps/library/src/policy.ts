import { type Actor, entityRole, hasScope, scopeAllowsAt, scopeTouches } from '#libs/contract';
import { DomainError } from '#libs/core';

/** An entity, a collection or a container, and whether strangers may know of it. */
export interface Subject {
  readonly entity: string;
  readonly collection?: string;
  readonly container?: string;
  readonly private: boolean;
  /** A container that takes no more images. */
  readonly readOnly?: boolean;
}

/** Whether something may be done. `hidden`: for this actor it does not exist. */
export type Decision =
  | { readonly allowed: true }
  | {
      readonly allowed: false;
      readonly as: 'hidden' | 'forbidden';
      readonly reason: string;
      readonly message: string;
      /** What helps, for whoever is refused. */
      readonly remedy?: string;
      /** What it is about, for the audit trail. */
      readonly about: Subject;
    };

type Asker = Pick<Actor, 'kind' | 'username' | 'organisations' | 'administrator' | 'scopes'>;

const ALLOWED: Decision = { allowed: true };
/** What stands in the place of what is not there: nobody's, and hidden from everybody but administrators. */
const NOBODYS: Subject = { entity: '', private: true };

/** `entity/collection/container`, as deep as the subject goes. */
export function placeOf({ entity, collection, container }: Subject): string {
  return [entity, collection, container].filter((part) => part !== undefined).join('/');
}

/** Administrators own everything: with a token that was made for that, as at every other service (ADR 4). */
export function isAdministrator(actor: Pick<Asker, 'administrator' | 'scopes'>): boolean {
  return hasScope(actor, 'admin');
}

/** What an actor is to an entity: an entity belongs to the account or to the organisation of the same name. */
export function roleIn(actor: Asker | undefined, entity: string): 'owner' | 'writer' | 'reader' | 'stranger' {
  if (actor === undefined) return 'stranger';
  if (isAdministrator(actor)) return 'owner';
  return entityRole(actor, entity) ?? 'stranger';
}

/** Whether the actor may write to an entity, as far as people go: their tokens may allow less. */
export function isWriter(actor: Asker, entity: string): boolean {
  const role = roleIn(actor, entity);
  return role === 'owner' || role === 'writer';
}

/**
 * Whether the actor may know of the subject and of what lies in it: everybody what is public; members what is private, with
 * a token for anything there. A stranger is told that a private object does not exist.
 */
export function mayRead(actor: Asker | undefined, subject: Subject): Decision {
  if (!subject.private) return ALLOWED;
  if (actor === undefined || roleIn(actor, subject.entity) === 'stranger') return hidden(subject);
  const place = placeOf(subject);
  const touched = (['library:read', 'library:create', 'library:delete'] as const).some((scope) =>
    scopeTouches(actor, scope, place),
  );
  return touched ? ALLOWED : hidden(subject);
}

/** Whether the actor may have the bytes of an image: as {@link mayRead}, and for what is private with a token for reading. */
export function mayDownload(actor: Asker | undefined, subject: Subject): Decision {
  const read = mayRead(actor, subject);
  if (!read.allowed || !subject.private || actor === undefined) return read;
  if (scopeAllowsAt(actor, 'library:read', placeOf(subject))) return ALLOWED;
  return forbidden(subject, 'scope_missing', `The token does not allow reading ${placeOf(subject)}`);
}

/** Whether the actor may make the subject, or find it by making it again. Says the same whether it exists or not. */
export function mayCreate(actor: Asker, subject: Subject): Decision {
  const place = placeOf(subject);
  if (!isWriter(actor, subject.entity))
    return forbidden(
      subject,
      'not_owner',
      `${subject.entity} belongs to somebody else: ${place} cannot be created`,
    );
  if (!scopeTouches(actor, 'library:create', place))
    return forbidden(subject, 'scope_missing', `The token does not allow creating ${place}`);
  return ALLOWED;
}

/** Whether the actor may add images and tags to a container. Of tags that there are, see {@link mayMove}. */
export function mayWrite(actor: Asker, subject: Subject): Decision {
  return writing(actor, subject, 'library:create');
}

/** Whether the actor may move a tag of a container from one image to another: more than setting one that is not there. */
export function mayMove(actor: Asker, subject: Subject): Decision {
  return writing(actor, subject, 'library:write');
}

function writing(actor: Asker, subject: Subject, scope: 'library:create' | 'library:write'): Decision {
  const read = mayRead(actor, subject);
  if (!read.allowed) return read;
  const place = placeOf(subject);
  if (!isWriter(actor, subject.entity))
    return forbidden(subject, 'not_owner', `${place} belongs to somebody else`);
  if (!scopeAllowsAt(actor, scope, place))
    return forbidden(subject, 'scope_missing', `The token does not allow writing to ${place}`);
  if (subject.readOnly === true)
    return forbidden(subject, 'read_only', `${place} is read-only: it takes no more images`);
  return ALLOWED;
}

/** Whether the actor may say what something is for: like writing to it, also where it takes no more images. */
export function mayDescribe(actor: Asker, subject: Subject): Decision {
  const { readOnly: _, ...open } = subject;
  return writing(actor, open, 'library:write');
}

/** Whether the actor may decide who sees something, what becomes of it and how it is called. */
export function mayManage(actor: Asker, subject: Subject): Decision {
  const describe = mayDescribe(actor, subject);
  if (!describe.allowed || roleIn(actor, subject.entity) === 'owner') return describe;
  return forbidden(
    subject,
    'not_owner',
    `Only owners of ${subject.entity} may change that of ${placeOf(subject)}`,
  );
}

/** Whether the actor may remove something with all that is in it. */
export function mayRemove(actor: Asker, subject: Subject): Decision {
  const remove = mayDelete(actor, subject);
  if (!remove.allowed || roleIn(actor, subject.entity) === 'owner') return remove;
  return forbidden(subject, 'not_owner', `Only owners of ${subject.entity} may remove ${placeOf(subject)}`);
}

/** Whether the actor may say that they like a container: whoever may know of it, with a token for reading there. */
export function mayStar(actor: Asker, subject: Subject): Decision {
  const read = mayRead(actor, subject);
  if (!read.allowed || scopeAllowsAt(actor, 'library:read', placeOf(subject))) return read;
  return forbidden(subject, 'scope_missing', `The token does not allow reading ${placeOf(subject)}`);
}

/** Whether the actor may list the tags for changing them (library contract case 59). */
export function mayListTags(actor: Asker, subject: Subject): Decision {
  const read = mayRead(actor, subject);
  if (!read.allowed || roleIn(actor, subject.entity) !== 'stranger') return read;
  return forbidden(subject, 'not_owner', `${placeOf(subject)} belongs to somebody else`);
}

/** Whether the actor may delete images of a container. */
export function mayDelete(actor: Asker, subject: Subject): Decision {
  const read = mayRead(actor, subject);
  if (!read.allowed) return read;
  const place = placeOf(subject);
  if (!isWriter(actor, subject.entity))
    return forbidden(subject, 'not_owner', `${place} belongs to somebody else`);
  if (!scopeAllowsAt(actor, 'library:delete', place))
    return forbidden(subject, 'scope_missing', `The token does not allow deleting from ${place}`);
  return ALLOWED;
}

/** Whether an image whose upload has not ended is shown: to whoever could upload it (library contract §6.1). */
export function maySeeUnfinished(actor: Asker | undefined, subject: Subject): boolean {
  return (
    actor !== undefined &&
    isWriter(actor, subject.entity) &&
    scopeAllowsAt(actor, 'library:create', placeOf(subject))
  );
}

/**
 * Stops unless allowed. What is hidden is answered exactly like what does not exist.
 * @param missing the error for what does not exist
 */
export function enforce(decision: Decision, missing: () => DomainError): void {
  if (decision.allowed) return;
  const about =
    decision.about === NOBODYS ? undefined : { kind: kindOf(decision.about), name: placeOf(decision.about) };
  // The very error, and no second one: to make an error takes as long as to read a document, which could be told.
  if (decision.as === 'hidden') throw Object.assign(missing(), { about });
  throw new DomainError('forbidden', decision.message, {
    reason: decision.reason,
    ...(decision.remedy === undefined ? {} : { remedy: decision.remedy }),
    ...(about === undefined ? {} : { about }),
  });
}

/**
 * The object, if there is one for this actor. What is not there goes the way of what is hidden, step by step: a few microseconds
 * more for the one or the other could be told from outside.
 * @param missing the error for what does not exist
 */
export function admit<T>(
  object: T | undefined,
  rule: { readonly subject: (object: T) => Subject; readonly decide: (subject: Subject) => Decision },
  missing: () => DomainError,
): T {
  enforce(rule.decide(object === undefined ? NOBODYS : rule.subject(object)), missing);
  if (object === undefined) throw missing();
  return object;
}

/** What a subject is. */
export function kindOf({ collection, container }: Subject): 'entity' | 'collection' | 'container' {
  if (container !== undefined) return 'container';
  return collection === undefined ? 'entity' : 'collection';
}

function hidden(about: Subject): Decision {
  return { allowed: false, as: 'hidden', reason: 'not_found', message: 'Not found', about };
}

function forbidden(
  about: Subject,
  reason: 'not_owner' | 'read_only' | 'scope_missing',
  message: string,
): Decision {
  return { allowed: false, as: 'forbidden', reason, message, remedy: REMEDIES[reason](about), about };
}

const REMEDIES = {
  not_owner: ({ entity }: Subject) =>
    `Ask an owner of ${entity}; the entity of an account is called as the account is`,
  read_only: ({ entity }: Subject) => `Push to another container, or let an owner of ${entity} open this one`,
  scope_missing: () =>
    'Use a token whose scopes allow it here; page /auth/tokens of this instance makes them',
} as const;

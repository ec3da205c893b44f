import type { AuditEvent, Caller } from '#libs/audit';
import type { Actor, AuditState, Retention } from '#libs/contract';
import type { Container } from './tree/containers.store.js';
import type { ImageDocument } from './images/images.store.js';
import { kindOf, placeOf as pathOf, type Subject } from './policy.js';
import type { Upload } from './uploads/uploads.store.js';

/** What the audit trail of the library says. */

type PlaceKind = 'entity' | 'collection' | 'container';

/** @param path `entity`, `entity/collection` or `entity/collection/container` */
export function created(kind: PlaceKind, path: string, isPrivate: boolean, actor: Actor): AuditEvent {
  return {
    action: `${kind}.create`,
    actor,
    subject: { kind, name: path },
    after: { private: isPrivate },
  };
}

/** Who may do and see what, and how it is called. */
export function changed(options: {
  readonly subject: Subject;
  readonly actor: Caller | null;
  readonly before: AuditState;
  readonly after: AuditState;
}): AuditEvent {
  const { subject, actor, before, after } = options;
  const kind = kindOf(subject);
  return { action: `${kind}.change`, actor, subject: { kind, name: pathOf(subject) }, before, after };
}

/** Somebody likes a container now, or no longer. */
export function starred(container: Container, isLiked: boolean, actor: Actor): AuditEvent {
  return {
    action: isLiked ? 'container.star' : 'container.unstar',
    actor,
    subject: { kind: 'container', name: placeOf(container) },
  };
}

/** What an account may hold has changed. @param after null: that of all accounts again */
export function accountChanged(
  name: string,
  before: number | undefined,
  after: number | null,
  actor: Actor,
): AuditEvent {
  return {
    action: 'quota.change',
    actor,
    subject: { kind: 'account', name },
    before: before === undefined ? {} : { quota: before },
    after: after === null ? {} : { quota: after },
  };
}

/** An object is gone; of a container with all that was in it. */
export function removed(kind: PlaceKind, subject: Subject, actor: Actor): AuditEvent {
  return {
    action: `${kind}.delete`,
    actor,
    subject: { kind, name: pathOf(subject) },
    before: { private: subject.private },
  };
}

/** An image has lost a tag, and has not been removed. */
export function untagged(options: {
  readonly container: Container;
  readonly tag: string;
  readonly arch: string;
  readonly image: ImageDocument | undefined;
  readonly actor: Actor;
}): AuditEvent {
  const { container, tag, arch, image, actor } = options;
  return {
    action: 'tag.delete',
    actor,
    subject: { kind: 'tag', name: `${placeOf(container)}:${tag}` },
    before: { ...(image === undefined ? {} : digestOf(image)), arch },
  };
}

/** An image has its content now, and can be found. */
export function pushed(container: Container, image: ImageDocument, actor: Caller): AuditEvent {
  return {
    action: 'image.push',
    actor,
    subject: { kind: 'image', name: `${placeOf(container)}@${image.hash}` },
    after: stateOf(image),
  };
}

/** A signature of an image counts no more. @param reason what became of it */
export function unsigned(
  container: Container,
  image: ImageDocument,
  { fingerprint, reason }: { readonly fingerprint: string; readonly reason: string },
): AuditEvent {
  return {
    action: 'image.unsign',
    actor: null,
    subject: { kind: 'image', name: `${placeOf(container)}@${image.hash}` },
    before: { ...digestOf(image), fingerprint },
    reason,
  };
}

/** The rules that did not keep an image, and whose they are. */
export interface ByRules {
  readonly rules: Retention;
  readonly of: 'container' | 'entity';
}

/** An image is gone, with all its tags. @param actor null: nobody asked for it; then rules did */
export function deleted(
  container: Container,
  image: ImageDocument,
  actor: Caller | null,
  by?: ByRules,
): AuditEvent {
  const rules = by === undefined ? {} : { retention: by.rules };
  return {
    action: 'image.delete',
    actor,
    subject: { kind: 'image', name: `${placeOf(container)}@${image.hash}` },
    before: { ...stateOf(image), ...rules },
    ...(by === undefined ? {} : { reason: `retention_of_${by.of}` }),
  };
}

/** @param before the image that had the tag until now */
export function tagged(options: {
  readonly container: Container;
  readonly tag: string;
  readonly arch: string;
  readonly image: ImageDocument;
  readonly before: ImageDocument | undefined;
  readonly moved: boolean;
  readonly actor: Actor;
}): AuditEvent {
  const { container, tag, arch, image, before, moved, actor } = options;
  return {
    action: moved ? 'tag.move' : 'tag.set',
    actor,
    subject: { kind: 'tag', name: `${placeOf(container)}:${tag}` },
    ...(before === undefined ? {} : { before: digestOf(before) }),
    after: { ...digestOf(image), arch },
  };
}

/** Whoever began an upload, for one that is finished after a crash, when nobody asks any more. */
export function uploader({ value }: Upload): Caller {
  const { account, username, token, originToken, via } = value;
  return { accountId: account, username, tokenId: token, originTokenId: originToken, via };
}

/** A blob has other bytes than its name says. */
export function damaged(hash: string, size: number, reason: string): AuditEvent {
  return {
    action: 'blob.damage',
    actor: null,
    subject: { kind: 'blob', name: hash },
    before: { digest: hash, size },
    reason,
  };
}

/** A damaged blob has the right bytes again. */
export function mended(hash: string): AuditEvent {
  return { action: 'blob.mend', actor: null, subject: { kind: 'blob', name: hash }, after: { digest: hash } };
}

/** A check has put something right. @param options numbers as they were and as they are now */
export function repaired(options: {
  readonly kind: string;
  readonly subject: AuditEvent['subject'];
  readonly recorded?: number | undefined;
  readonly counted?: number | undefined;
  readonly actor: Caller | null;
}): AuditEvent {
  const { kind, subject, recorded, counted, actor } = options;
  const state = (size: number | undefined): AuditState =>
    size === undefined ? {} : { size: Math.max(0, size) };
  return {
    action: 'library.repair',
    actor,
    subject,
    before: state(recorded),
    after: state(counted),
    reason: kind,
  };
}

function placeOf({ value }: Container): string {
  return `${value.entityName}/${value.collectionName}/${value.name}`;
}

function stateOf(image: ImageDocument): AuditState {
  const { size, arch } = image;
  return { ...digestOf(image), size, ...(arch === undefined ? {} : { arch }) };
}

function digestOf({ hash }: ImageDocument): AuditState {
  return { digest: hash };
}

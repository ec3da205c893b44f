import type { LibraryEventDetails, LibraryEventKind } from '#libs/contract';
import type { ImageDocument } from '../images/documents.store.js';
import type { Collection, Container, ContainerDocument, Entity } from '../tree/documents.store.js';

/* What the feed of events is told, each beside its entry in the audit trail. */

/** Who did it, as far as the feed says: undefined for what the library does by itself. */
type By = { readonly username: string } | null;

/** An event without its id and time, which {@link EventFeed.write} gives. */
export interface Happening {
  readonly kind: LibraryEventKind;
  readonly place: Place;
  readonly by: By;
  readonly details: LibraryEventDetails;
}

/** Where something happened. */
export interface Place {
  readonly entity: string;
  readonly entityName: string;
  readonly collection?: string;
  readonly collectionName?: string;
  readonly container?: string;
  readonly containerName?: string;
  readonly private: boolean;
}

export function entityPlace({ id, value }: Pick<Entity, 'id' | 'value'>): Place {
  return { entity: id, entityName: value.name, private: value.defaultPrivate };
}

export function collectionPlace({ id, value }: Pick<Collection, 'id' | 'value'>): Place {
  const { entity, entityName, name: collectionName } = value;
  return { entity, entityName, collection: id, collectionName, private: value.private };
}

export function containerPlace({ id, value }: Pick<Container, 'id' | 'value'>): Place {
  const { entity, entityName, collection, collectionName, name: containerName } = value;
  const parents = { entity, entityName, collection, collectionName };
  return { ...parents, container: id, containerName, private: value.private };
}

const kindOf = ({ collection, container }: Place): 'entity' | 'collection' | 'container' => {
  if (container !== undefined) return 'container';
  return collection === undefined ? 'entity' : 'collection';
};

export function placeMade(place: Place, by: By): Happening {
  return { kind: `${kindOf(place)}.create`, place, by, details: { private: place.private } };
}

/** @param place as it is after the change */
export function placeChanged(place: Place, by: By, details: LibraryEventDetails = {}): Happening {
  return { kind: `${kindOf(place)}.change`, place, by, details: { private: place.private, ...details } };
}

export function placeRemoved(place: Place, by: By): Happening {
  return { kind: `${kindOf(place)}.delete`, place, by, details: {} };
}

/** @param before its document before the change; a name that strangers could not know then is not told */
export function containerChanged(
  { id, value }: Pick<Container, 'id' | 'value'>,
  before: ContainerDocument,
  by: By,
): Happening {
  const renamed = before.name !== value.name && !before.private;
  return placeChanged(containerPlace({ id, value }), by, {
    readOnly: value.readOnly,
    ...(renamed ? { formerName: before.name } : {}),
  });
}

export function imagePushed(container: Container, image: ImageDocument, by: By): Happening {
  return { kind: 'image.push', place: containerPlace(container), by, details: contentOf(image) };
}

export function imageDeleted(container: Container, image: ImageDocument, by: By): Happening {
  return { kind: 'image.delete', place: containerPlace(container), by, details: contentOf(image) };
}

/** @param before the image that had the tag until now */
export function tagSet(options: {
  readonly container: Container;
  readonly tag: string;
  readonly arch: string;
  readonly image: ImageDocument;
  readonly before: ImageDocument | undefined;
  readonly moved: boolean;
  readonly actor: By;
}): Happening {
  const { container, tag, arch, image, before, moved, actor } = options;
  const previous = before === undefined ? {} : { previous: before.hash };
  return {
    kind: moved ? 'tag.move' : 'tag.set',
    place: containerPlace(container),
    by: actor,
    details: { tag, arch, hash: image.hash, ...previous },
  };
}

/** An image has lost a tag, and has not been removed. */
export function tagRemoved(options: {
  readonly container: Container;
  readonly tag: string;
  readonly arch: string;
  readonly image: ImageDocument | undefined;
  readonly actor: By;
}): Happening {
  const { container, tag, arch, image, actor } = options;
  const hash = image === undefined ? {} : { hash: image.hash };
  return { kind: 'tag.delete', place: containerPlace(container), by: actor, details: { tag, arch, ...hash } };
}

/** An image has lost a signer: the key was revoked, and its signature counts no longer. */
export function keyRevoked(container: Container, image: ImageDocument, fingerprint: string): Happening {
  const { hash, arch } = image;
  const details = { fingerprint, hash, ...(arch === undefined ? {} : { arch }) };
  return { kind: 'key.revoked', place: containerPlace(container), by: null, details };
}

function contentOf({ hash, size, arch }: ImageDocument): LibraryEventDetails {
  return { hash, size, ...(arch === undefined ? {} : { arch }) };
}

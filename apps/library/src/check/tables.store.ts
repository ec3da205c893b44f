import type { Collection, Documents, ScanOptions, ScanResult, Stored } from '#libs/documents';
import {
  type EventDocument,
  type EventIndex,
  EVENTS,
  type FeedDocument,
  FEEDS,
} from '../events/documents.store.js';
import {
  type HashDocument,
  HASHES,
  type HashIndex,
  type ImageDocument,
  type ImageIndex,
  IMAGES,
  type TagDocument,
  type TagIndex,
  TAGS,
} from '../images/documents.store.js';
import { type TermDocument, type TermIndex, TERMS } from '../search/documents.store.js';
import {
  type AccountDocument,
  type AccountIndex,
  ACCOUNTS,
  type ContentDocument,
  type ContentIndex,
  CONTENTS,
  type HoldingDocument,
  type HoldingIndex,
  HOLDINGS,
} from '../storage/documents.store.js';
import {
  type ClaimDocument,
  type ClaimIndex,
  CLAIMS,
  SIGNED_IMAGES,
  type SignedImageDocument,
  type SignedImageIndex,
} from '../signers/documents.store.js';
import { type StarDocument, type StarIndex, STARS } from '../stars/documents.store.js';
import {
  type CollectionDocument,
  type CollectionIndex,
  COLLECTIONS,
  type ContainerDocument,
  type ContainerIndex,
  CONTAINERS,
  ENTITIES,
  type EntityDocument,
  type EntityIndex,
  type NameDocument,
  type NameIndex,
  NAMES,
} from '../tree/documents.store.js';
import {
  type PartDocument,
  type PartIndex,
  PARTS,
  type Upload,
  type UploadDocument,
  type UploadIndex,
  UPLOADS,
} from '../uploads/documents.store.js';
import {
  DELIVERIES,
  type DeliveryDocument,
  type DeliveryIndex,
  type WebhookDocument,
  type WebhookIndex,
  WEBHOOKS,
} from '../webhooks/documents.store.js';

/** Documents of one read. */
const MOST = 1000;

/** Everything that is stored of a library, for whoever compares all of it. */
export class Tables {
  readonly entities: Collection<EntityDocument, EntityIndex>;
  readonly collections: Collection<CollectionDocument, CollectionIndex>;
  readonly containers: Collection<ContainerDocument, ContainerIndex>;
  readonly names: Collection<NameDocument, NameIndex>;
  readonly terms: Collection<TermDocument, TermIndex>;
  readonly images: Collection<ImageDocument, ImageIndex>;
  readonly hashes: Collection<HashDocument, HashIndex>;
  readonly tags: Collection<TagDocument, TagIndex>;
  readonly contents: Collection<ContentDocument, ContentIndex>;
  readonly holdings: Collection<HoldingDocument, HoldingIndex>;
  readonly uploads: Collection<UploadDocument, UploadIndex>;
  readonly parts: Collection<PartDocument, PartIndex>;
  readonly accounts: Collection<AccountDocument, AccountIndex>;
  readonly stars: Collection<StarDocument, StarIndex>;
  readonly signedImages: Collection<SignedImageDocument, SignedImageIndex>;
  readonly claims: Collection<ClaimDocument, ClaimIndex>;
  readonly events: Collection<EventDocument, EventIndex>;
  readonly feeds: Collection<FeedDocument, never>;
  readonly webhooks: Collection<WebhookDocument, WebhookIndex>;
  readonly deliveries: Collection<DeliveryDocument, DeliveryIndex>;

  constructor(database: Documents) {
    this.entities = database.collection<EntityDocument, EntityIndex>(ENTITIES);
    this.collections = database.collection<CollectionDocument, CollectionIndex>(COLLECTIONS);
    this.containers = database.collection<ContainerDocument, ContainerIndex>(CONTAINERS);
    this.names = database.collection<NameDocument, NameIndex>(NAMES);
    this.terms = database.collection<TermDocument, TermIndex>(TERMS);
    this.images = database.collection<ImageDocument, ImageIndex>(IMAGES);
    this.hashes = database.collection<HashDocument, HashIndex>(HASHES);
    this.tags = database.collection<TagDocument, TagIndex>(TAGS);
    this.contents = database.collection<ContentDocument, ContentIndex>(CONTENTS);
    this.holdings = database.collection<HoldingDocument, HoldingIndex>(HOLDINGS);
    this.uploads = database.collection<UploadDocument, UploadIndex>(UPLOADS);
    this.accounts = database.collection<AccountDocument, AccountIndex>(ACCOUNTS);
    this.stars = database.collection<StarDocument, StarIndex>(STARS);
    this.signedImages = database.collection<SignedImageDocument, SignedImageIndex>(SIGNED_IMAGES);
    this.claims = database.collection<ClaimDocument, ClaimIndex>(CLAIMS);
    this.events = database.collection<EventDocument, EventIndex>(EVENTS);
    this.feeds = database.collection<FeedDocument, never>(FEEDS);
    this.webhooks = database.collection<WebhookDocument, WebhookIndex>(WEBHOOKS);
    this.deliveries = database.collection<DeliveryDocument, DeliveryIndex>(DELIVERIES);
    this.parts = database.collection<PartDocument, PartIndex>(PARTS);
  }

  /** Uploads that claim their content: all that are under way. */
  async claimingUploads(): Promise<readonly Upload[]> {
    const found: Upload[] = [];
    for (const state of ['open', 'storing'])
      for await (const upload of all(this.uploads, 'byState', [state])) found.push(upload);
    return found;
  }
}

/** All documents of a part of an index, a page at a time. */
export async function* all<D extends object, I extends string>(
  collection: { scan(index: I, options: ScanOptions): Promise<ScanResult<D>> },
  index: I,
  equal: readonly string[],
): AsyncGenerator<Stored<D>, void> {
  let cursor: string | undefined;
  do {
    const page: ScanResult<D> = await collection.scan(index, {
      equal,
      limit: MOST,
      ...(cursor === undefined ? {} : { cursor }),
    });
    yield* page.items;
    cursor = page.cursor;
  } while (cursor !== undefined);
}

/** Those that there are of these ids, by id, however many. */
export async function byId<D extends object>(
  collection: Pick<Collection<D>, 'getMany'>,
  ids: Iterable<string>,
): Promise<Map<string, Stored<D>>> {
  const wanted = [...new Set(ids)];
  const found = new Map<string, Stored<D>>();
  for (let at = 0; at < wanted.length; at += MOST)
    for (const one of await collection.getMany(wanted.slice(at, at + MOST))) found.set(one.id, one);
  return found;
}

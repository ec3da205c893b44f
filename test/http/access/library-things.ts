import { randomBytes } from 'node:crypto';
import { DeliveriesStore } from '#apps/library/src/webhooks/deliveries.store';
import { newObjectId } from '#libs/core';
import { hashOf, StockClient, testImage } from '../library/world.js';
import type { About } from './matrix.js';
import { GUILD, VAULT, World } from './world.js';

/** Everybody's own place has this name below its entity, so that one search finds all of them. */
const PLACE = 'tools/application';

/** A container with an image, and all that leads to it. */
export interface Thing {
  readonly entity: string;
  readonly entityId: string;
  readonly collectionId: string;
  readonly containerId: string;
  /** `entity/collection/container`. */
  readonly place: string;
  /** Uploaded, with the tag `latest`. */
  readonly image: { readonly id: string; readonly hash: string };
  /** Whoever may do everything there. */
  readonly keeper: StockClient;
}

/** A file that was announced and is not there. */
export interface Announced {
  readonly imageId: string;
  readonly bytes: Buffer;
}

/** Where an upload of it is under way. */
export interface Started extends Announced {
  readonly uploadId: string;
  /** Path and query of the address of its only part. */
  readonly address: string;
}

/** A library in which everybody has something of their own, and the organisations what they share. */
export class LibraryThings {
  private constructor(
    readonly world: World,
    private readonly things: ReadonlyMap<string, Thing>,
    private readonly doomed: Buffer,
    private readonly nobody: Thing,
  ) {}

  static async prepare(): Promise<LibraryThings> {
    const world = await World.start();
    const [doomed, content] = [await testImage(), await testImage()];
    const things = new Map<string, Thing>();
    const keepers = { [GUILD]: 'owner', [VAULT]: 'owner' };
    for (const entity of [GUILD, VAULT, 'stranger', 'reader', 'writer', 'owner', 'deputy', 'admin']) {
      const username = keepers[entity as keyof typeof keepers] ?? entity;
      const keeper = new StockClient(world.app, await world.token(username));
      const defaultPrivate = entity !== GUILD;
      const { id: entityId } = (await keeper.entity(entity, { defaultPrivate })).body.data;
      const { id, container } = await keeper.push(`${entity}/${PLACE}`, content);
      await keeper.push(`${entity}/tools/store`, doomed);
      const { collection } = (await keeper.get(`/v1/containers/${entity}/${PLACE}`)).body.data;
      things.set(entity, {
        entity,
        entityId,
        collectionId: collection,
        containerId: container,
        place: `${entity}/${PLACE}`,
        image: { id, hash: hashOf(content) },
        keeper,
      });
    }
    return new LibraryThings(world, things, doomed, {
      entity: 'nobodys',
      entityId: newObjectId(),
      collectionId: newObjectId(),
      containerId: newObjectId(),
      place: `nobodys/${PLACE}`,
      image: { id: newObjectId(), hash: hashOf(randomBytes(8)) },
      keeper: new StockClient(world.app, undefined),
    });
  }

  /** What a request is about. */
  of({ object, caller, missing }: About<LibraryThings>): Thing {
    if (missing) return this.nobody;
    // What proves itself is somewhere where most callers may do nothing.
    const entity = object === 'public' ? GUILD : object === 'own' ? caller.account : VAULT;
    const thing = this.things.get(entity ?? '');
    if (thing === undefined) throw new Error(`${entity} has nothing in the library`);
    return thing;
  }

  /** An image there that nobody needs: with its bytes, and made again after it was deleted. @returns its hash */
  async deletable(about: About<LibraryThings>): Promise<string> {
    const { keeper, containerId } = this.of(about);
    const hash = hashOf(this.doomed);
    if (!about.missing) {
      // The store has the same bytes: they need not be sent again.
      const { data } = (await keeper.image(containerId, hash)).body;
      if (data.uploaded !== true) throw new Error('The bytes of the image are gone');
    }
    return hash;
  }

  /** A new container beside it, for somebody to remove. @returns `entity/collection/container` */
  async removable(about: About<LibraryThings>): Promise<string> {
    const { keeper, entity, collectionId } = this.of(about);
    const name = `gone${about.serial}`;
    if (!about.missing) {
      const { status } = await keeper.container(collectionId, name);
      if (status !== 200) throw new Error(`The container ${name} could not be made`);
    }
    return `${entity}/tools/${name}`;
  }

  /** A new tag of the image there, for somebody to remove. */
  async removableTag(about: About<LibraryThings>): Promise<string> {
    const { keeper, containerId, image } = this.of(about);
    const tag = `gone${about.serial}`;
    if (!about.missing) {
      const body = { Arch: 'amd64', Tag: tag, ImageID: image.id };
      const { status } = await keeper.send('POST', `/v2/tags/${containerId}`, body);
      if (status !== 200) throw new Error(`The tag ${tag} could not be set`);
    }
    return tag;
  }

  /** Removes the webhooks there are: there is room for another one. */
  async roomForWebhook(about: About<LibraryThings>): Promise<void> {
    if (about.missing) return;
    const { keeper, entity } = this.of(about);
    const { data } = (await keeper.get(`/v1/manage/webhooks/${entity}`)).body as { data: { id: string }[] };
    for (const { id } of data) await keeper.send('DELETE', `/v1/manage/webhooks/${entity}/${id}`);
  }

  /** A new webhook there, whose receiver nobody finds. @returns its address */
  async webhook(about: About<LibraryThings>): Promise<string> {
    await this.roomForWebhook(about);
    const { keeper, entity } = this.of(about);
    const path = `/v1/manage/webhooks/${entity}`;
    if (about.missing) return `${path}/${newObjectId()}`;
    const made = await keeper.send('POST', path, { url: 'https://hooks.invalid/hook' });
    return `${path}/${made.body.data.id as string}`;
  }

  /** A new webhook there with a delivery that is over. @returns the address for another attempt */
  async delivered(about: About<LibraryThings>): Promise<string> {
    const path = await this.webhook(about);
    if (about.missing) return `${path}/deliveries/${newObjectId()}/redeliver`;
    const { id } = (await this.of(about).keeper.send('POST', `${path}/ping`)).body.data as { id: string };
    const deliveries = this.world.app.get(DeliveriesStore);
    // The end comes in a day; whoever was at work on it is no faster than this.
    for (let over = false; !over;) {
      const found = await deliveries.get(id);
      if (found === undefined) throw new Error('The delivery is gone');
      const { dueAt: _, ...rest } = found.value;
      over = await deliveries.replace(found, { ...rest, state: 'given_up', over: rest.order });
    }
    return `${path}/deliveries/${id}/redeliver`;
  }

  /** A new image there, without its bytes. */
  async announced(about: About<LibraryThings>): Promise<Announced> {
    const bytes = randomBytes(32);
    if (about.missing) return { imageId: newObjectId(), bytes };
    const { keeper, containerId } = this.of(about);
    return { imageId: (await keeper.image(containerId, hashOf(bytes))).body.data.id, bytes };
  }

  /** The same, with an upload under way. */
  async started(about: About<LibraryThings>, way: 'single' | 'multipart'): Promise<Started> {
    const announced = await this.announced(about);
    const { imageId, bytes } = announced;
    const uploadId = newObjectId();
    if (about.missing)
      return { ...announced, uploadId, address: `/v2/upload/${uploadId}/1?expires=1&signature=x` };
    const { keeper } = this.of(about);
    const path = `/v2/imagefile/${imageId}`;
    const filesize = bytes.length;
    if (way === 'single') {
      const { uploadURL } = (await keeper.send('POST', path, { filesize })).body.data;
      return { ...announced, uploadId, address: pathOf(uploadURL) };
    }
    const { uploadID } = (await keeper.send('POST', `${path}/_multipart`, { filesize })).body.data;
    const part = await keeper.send('PUT', `${path}/_multipart`, { uploadID, partNumber: 1 });
    return { ...announced, uploadId: uploadID, address: pathOf(part.body.data.presignedURL) };
  }

  /** The same, with all bytes sent. */
  async sent(about: About<LibraryThings>, way: 'single' | 'multipart'): Promise<Started> {
    const started = await this.started(about, way);
    if (!about.missing) await this.world.must({ method: 'PUT', path: started.address, body: started.bytes });
    return started;
  }
}

function pathOf(address: string): string {
  const { pathname, search } = new URL(address);
  return pathname + search;
}

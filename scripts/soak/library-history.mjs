import { History, Moments } from './history.mjs';
import { hashOf } from './library.mjs';

/** What was done to containers, their images and their tags, and whether the library is as it may be after all that. */
export class LibraryHistory {
  #moments = new Moments();
  #containers = new Map();

  now() {
    return this.#moments.next();
  }

  container(id, name) {
    const container = new ContainerHistory(this.#moments, id, name);
    this.#containers.set(id, container);
    return container;
  }

  get containers() {
    return [...this.#containers.values()];
  }

  /** @throws Error for whatever the library has and may not have, or lacks. @returns how much was looked at */
  async requireTrue(calls) {
    const listed = await all(calls, '/v1/manage/containers/admin/soak');
    let images = 0;
    for (const container of this.containers) {
      const found = listed.find(({ id }) => id === container.id);
      if (!container.mayBe(found !== undefined))
        throw new Error(`${container.name}: expected ${found ? 'no such container' : 'a container'}`);
      if (found !== undefined) images += await container.requireTrue(calls, found.name);
    }
    return `${listed.length} containers and ${images} images as they have to be`;
  }
}

class ContainerHistory {
  id;
  /** The last one that was acknowledged: it leads there whatever became of later ones. */
  name;
  names;
  /** Nobody has begun to remove it. */
  inUse = true;
  #moments;
  #contents = new Map();
  #tags = new Map();
  #existence;

  constructor(moments, id, name) {
    this.#moments = moments;
    this.id = id;
    this.name = name;
    this.names = new History(moments, name);
    this.#existence = new History(moments, true);
  }

  /** `there` or `gone`. */
  contents(hash) {
    return this.#of(this.#contents, hash, 'gone');
  }

  /** The hash that a tag has. */
  tag(name) {
    return this.#of(this.#tags, name, undefined);
  }

  get hashes() {
    return [...this.#contents.keys()];
  }

  someHash(random) {
    return this.hashes.length === 0 ? undefined : random.oneOf(this.hashes);
  }

  removed(from, sure) {
    this.#existence.note(false, from, sure);
  }

  mayBe(there) {
    return this.#existence.possible().has(there);
  }

  /** @throws Error unless it is as it may be. @returns how many images it has */
  async requireTrue(calls, name) {
    const path = `admin/soak/${name}`;
    if (!this.names.possible().has(name)) throw new Error(`${this.name}: expected not the name ${name}`);
    const images = await all(calls, `/v1/manage/images/${path}`);
    // A removal that was interrupted has taken some of them.
    const removals = this.#existence.changes.map((change) => ({ ...change, value: 'gone' }));
    for (const hash of new Set([...this.hashes, ...images.map((image) => image.hash)])) {
      const state = images.some((image) => image.hash === hash && image.uploaded) ? 'there' : 'gone';
      if (!this.contents(hash).possible(removals).has(state))
        throw new Error(`${path}:${hash}: expected not ${state}`);
      await (state === 'there' ? requireBytes(calls, path, hash) : requireHidden(calls, path, hash));
    }
    await this.#requireTags(calls, images);
    return images.filter(({ uploaded }) => uploaded).length;
  }

  async #requireTags(calls, images) {
    const { amd64 = {} } = await calls.send('GET', `/v2/tags/${this.id}`);
    for (const name of new Set([...this.#tags.keys(), ...Object.keys(amd64)])) {
      const hash = images.find(({ id }) => id === amd64[name])?.hash;
      if (amd64[name] !== undefined && hash === undefined)
        throw new Error(`${this.name}:${name} leads to no image`);
      const last = this.tag(name).last();
      // It goes with its image.
      const mayBeGone = last.some(({ value, from }) => value === undefined || this.#wasRemoved(value, from));
      const right = hash === undefined ? mayBeGone : last.some(({ value }) => value === hash);
      if (!right) throw new Error(`${this.name}:${name}: expected not ${hash ?? 'none'}`);
    }
  }

  #wasRemoved(hash, since) {
    const removals = this.contents(hash).changes.filter(({ value }) => value === 'gone');
    return [...removals, ...this.#existence.changes].some(({ to }) => to >= since);
  }

  #of(map, key, first) {
    if (!map.has(key)) map.set(key, new History(this.#moments, first));
    return map.get(key);
  }
}

async function requireBytes(calls, path, hash) {
  const got = hashOf(await calls.send('GET', `/v1/imagefile/${path}:${hash}?arch=amd64`));
  if (got !== hash) throw new Error(`Expected ${hash} at ${path}, got ${got}`);
}

async function requireHidden(calls, path, hash) {
  for (const kind of ['images', 'imagefile']) {
    const { status } = await calls.answer('GET', `/v1/${kind}/${path}:${hash}`, undefined, { token: null });
    if (status !== 404) throw new Error(`Expected no ${kind} ${path}:${hash} to be seen, got ${status}`);
  }
}

/** All parts of a list. */
async function all(calls, path) {
  const items = [];
  for (let cursor = ''; cursor !== undefined;) {
    const query = `?limit=500${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`;
    const { status, json, bytes } = await calls.answer('GET', `${path}${query}`);
    if (status !== 200) throw new Error(`${path}: ${status} ${bytes.toString()}`);
    items.push(...json.data);
    cursor = json.page?.next;
  }
  return items;
}

import { good } from './ask.mjs';
import { newImage } from '../soak/library.mjs';

const SIZE = 4096;

/** What clients of the library do, as somebody. */
export class Pushes {
  #world;
  #user;

  constructor(world, user) {
    this.#world = world;
    this.#user = user;
  }

  async #send(method, path, json) {
    return good(this.#world.at('library', path, { method, json, token: this.#user.token }));
  }

  /** A container of their own. */
  async container(name) {
    const entity = (await this.#send('POST', '/v1/entities', { name: this.#user.name })).id;
    const collection = (await this.#send('POST', '/v1/collections', { name: 'drill', entity })).id;
    return (await this.#send('POST', '/v1/containers', { name, collection })).id;
  }

  /** An upload in one piece that is announced: its image, bytes and signed address. */
  async begin(container) {
    const image = newImage(SIZE);
    const { id } = await this.#send('POST', '/v1/images', { hash: image.hash, container });
    const { uploadURL } = await this.#send('POST', `/v2/imagefile/${id}`, { filesize: SIZE });
    return { ...image, id, address: new URL(uploadURL) };
  }

  complete({ id }) {
    return this.#send('PUT', `/v2/imagefile/${id}/_complete`, {});
  }

  /** An upload in parts that is announced: the address of its first part, and its id. */
  async beginParts(container) {
    const image = newImage(SIZE);
    const { id } = await this.#send('POST', '/v1/images', { hash: image.hash, container });
    const { uploadID } = await this.#send('POST', `/v2/imagefile/${id}/_multipart`, { filesize: SIZE });
    const part = { uploadID, partNumber: 1, sha256sum: '' };
    const { presignedURL } = await this.#send('PUT', `/v2/imagefile/${id}/_multipart`, part);
    return { ...image, id, uploadID, address: new URL(presignedURL) };
  }

  abort({ id, uploadID }) {
    return this.#send('PUT', `/v2/imagefile/${id}/_multipart_abort`, { uploadID });
  }
}

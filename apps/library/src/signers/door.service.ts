import { Injectable } from '@nestjs/common';
import type { BlobReader } from '#libs/blobs';
import { type Image, type ImageDocument } from '../images/images.store.js';
import type { Container } from '../tree/containers.store.js';
import { EntitiesStore, type Entity } from '../tree/entities.store.js';
import type { Findings } from './imageSignatures.js';
import { type Passage, refusalAtTheDoor } from './requiredSigners.js';
import { SignersService, type Standing } from './signers.service.js';

type Bytes = Pick<BlobReader, 'read' | 'size'>;

const UNSIGNED: Standing = { signers: [], signatures: [], certain: true };

/**
 * The door of an entity: what may be pushed to it, and pulled from it, by who has signed it. It is asked after it was decided that the
 * caller may know of the image.
 */
@Injectable()
export class DoorService {
  constructor(
    private readonly entities: EntitiesStore,
    private readonly signers: SignersService,
  ) {}

  /**
   * Whether bytes that have arrived may become an image, before they do.
   * @param read gives the bytes; they are read only where there is a rule, and a signature
   * @returns what was found out on the way
   * @throws DomainError `forbidden`, `unavailable` when the keystore cannot be asked
   */
  async requireArrival(
    entityId: string,
    { signed }: Pick<ImageDocument, 'signed'>,
    read: (use: (bytes: Bytes) => Promise<Findings>) => Promise<Findings>,
  ): Promise<Findings | undefined> {
    const entity = await this.entities.get(entityId);
    if (entity?.value.requiredSigners?.push === undefined) return undefined;
    const findings = signed ? await read((bytes) => this.signers.examine(bytes)) : undefined;
    this.requireFound('push', entity, findings);
    return findings;
  }

  /** The same with what is known already, at the last moment before a commit. @param findings undefined: it is not signed, or nobody looked */
  requireFound(passage: Passage, { value }: Entity, findings: Findings | undefined): void {
    const standing: Standing =
      findings === undefined
        ? UNSIGNED
        : {
            signers: findings.signers.map(({ fingerprint }) => fingerprint),
            signatures: findings.signatures,
            certain: findings.complete,
          };
    const refusal = refusalAtTheDoor(passage, { entity: value.name, rules: value.requiredSigners }, standing);
    if (refusal !== undefined) throw refusal;
  }

  /** @throws DomainError `forbidden`, `unavailable` unless an image that is there may be in this entity, or get a tag in it */
  async requirePush(image: Image, container: Container): Promise<void> {
    await this.#require('push', image, container);
  }

  /**
   * Decided anew with every request.
   * @returns whether there is a rule: what is allowed now may not be allowed soon
   * @throws DomainError `forbidden`, `unavailable` unless the image may be pulled
   */
  requirePull(image: Image, container: Container): Promise<boolean> {
    return this.#require('pull', image, container);
  }

  async #require(passage: Passage, image: Image, container: Container): Promise<boolean> {
    const entity = await this.entities.get(container.value.entity);
    if (entity?.value.requiredSigners?.[passage] === undefined) return false;
    const standing = await this.signers.standing(image);
    const { name, requiredSigners: rules } = entity.value;
    const refusal = refusalAtTheDoor(passage, { entity: name, rules }, standing);
    if (refusal !== undefined) throw refusal;
    return true;
  }
}

import { Injectable } from '@nestjs/common';
import { join } from 'node:path';
import { hostArchitecture } from '#libs/build';
import { HttpClient, KeystoreClient, LibraryClient, pullImage, pushImage } from '#libs/client';
import { ScsConfig } from '#libs/config';
import type { Ticket } from '#libs/contract';
import { DomainError, newObjectId, parseLibraryReference, systemClock } from '#libs/core';
import { InternalClient, proofAudience, ServiceKey, TokenVerifier } from '#libs/server';
import { withSifFile } from '#libs/sif';
import { serverKeySource, verifyImage, type VerifyResult } from '#libs/signing';

export interface PullBaseRequest {
  readonly ticket: Ticket;
  /** Text of `from:`. */
  readonly from: string;
  /** Text of `library:`, if the definition names one. */
  readonly library: string | undefined;
  readonly folder: string;
  readonly signal: AbortSignal | undefined;
}

export interface PushRequest {
  readonly ticket: Ticket;
  readonly image: string;
  readonly architecture: string;
  readonly signal: AbortSignal;
}

/** How a worker reaches the other services: over HTTPS, each time with the token of the build at hand. */
@Injectable()
export class Connections {
  constructor(
    private readonly config: ScsConfig,
    private readonly internal: InternalClient,
    private readonly verifier: TokenVerifier,
    private readonly key: ServiceKey,
  ) {}

  /** The builder, with the token of a ticket, or without one for asking for the ticket. */
  builder(token: string | undefined): HttpClient {
    return this.#client(this.config.serviceUrl('builder'), token);
  }

  /** A fresh proof for the builder that this is a worker of the instance. */
  async proof(): Promise<string> {
    return this.key.assertion(proofAudience(await this.verifier.issuer(), 'builder'));
  }

  /**
   * Pulls the image of a `library` base. A library that the definition or the reference names itself is asked without a token: the submitter's rights are
   * for ours (builder contract §9.5).
   */
  async pullBase({ ticket, from, library, folder, signal }: PullBaseRequest): Promise<string> {
    const reference = parseLibraryReference(from.replace(/^\/\//, 'library://'));
    const named = reference.host === undefined ? library : `https://${reference.host}`;
    const own = this.config.serviceUrl('library');
    const url = named ?? ticket.libraryUrl ?? own;
    if (url !== own && this.config.buildNetwork === 'none')
      throw new DomainError('forbidden', `Bases of ${url} are not fetched here: builds reach no network`, {
        reason: 'no_network',
        remedy: 'Push the base to the library of this instance first.',
      });
    const client = new LibraryClient(this.#client(url, url === own ? ticket.libraryToken : undefined));
    const path = LibraryClient.pathOf(reference, hostArchitecture());
    const options = signal === undefined ? {} : { signal };
    const image = await client.image(path, options);
    const destination = join(folder, `base-${newObjectId()}.sif`);
    await pullImage(client, { image, path: path.path, destination, ...options });
    return destination;
  }

  /**
   * Verifies an image with the keys of this instance's keystore. A definition names whole fingerprints, so no key that somebody else put
   * there counts for one of them.
   */
  async verifyBase(
    { keystoreToken }: Pick<Ticket, 'keystoreToken'>,
    path: string,
    signal: AbortSignal | undefined,
  ): Promise<VerifyResult> {
    const keystore = new KeystoreClient(this.#client(this.config.serviceUrl('keystore'), keystoreToken));
    const options = signal === undefined ? {} : { signal };
    const source = serverKeySource((search) => keystore.get(search, options));
    return withSifFile(path, (access) =>
      verifyImage(access, { pgp: [source], clock: systemClock, ...options }),
    );
  }

  /** Pushes the finished image to the place of its build, with all tags. */
  async push({
    ticket,
    image,
    architecture,
    signal,
  }: PushRequest): Promise<{ digest: string; size: number }> {
    const [entity, collection, container] = ticket.place.split('/');
    if (entity === undefined || collection === undefined || container === undefined) {
      throw new DomainError(
        'bad_request',
        `Expected entity/collection/container for the place of a build, got ${ticket.place}`,
      );
    }
    const client = new LibraryClient(this.#client(this.config.serviceUrl('library'), ticket.libraryToken));
    return pushImage(client, {
      file: image,
      entity,
      collection,
      container,
      tags: ticket.tags,
      arch: architecture,
      description: 'Built by the remote builder',
      signal,
    });
  }

  #client(baseUrl: string, token: string | undefined): HttpClient {
    return new HttpClient({
      baseUrl,
      userAgent: `scs-worker/${this.config.version}`,
      dispatcher: this.internal.dispatcher,
      ...(token !== undefined && { token }),
    });
  }
}

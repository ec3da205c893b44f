import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { requestOrigin } from '#libs/audit';
import { ScsConfig } from '#libs/config';
import type { Actor } from '#libs/contract';
import { DomainError } from '#libs/core';
import { credentialsMissing, networkListOf, readBytes } from '#libs/server';
import { keysOf } from './add.request.js';
import { InTime } from './in-time.js';
import { LIMITS } from './limits.js';
import { Rates } from './rates.js';
import { type Submitted, SubmitService } from './submit.service.js';
import type { Permission, Submitter } from './submitter.js';

/** Takes keys out of a request: of accounts, and without one as far as the operator has said (keystore contract §1.2). */
@Injectable()
export class Uploads {
  readonly #isNear: (address: string) => boolean;
  readonly #anonymous: Permission | undefined;

  constructor(
    { keystore }: ScsConfig,
    private readonly submissions: SubmitService,
    private readonly rates: Rates,
    private readonly inTime: InTime,
  ) {
    this.#isNear = networkListOf(keystore.networks);
    this.#anonymous = keystore.anonymous === 'nothing' ? undefined : keystore.anonymous;
  }

  /**
   * @param actor whoever has shown a token that may add keys
   * @throws DomainError `unauthorized` where a token is needed, before anything is read; `too_large`, and as the parts of it
   */
  async take(
    request: FastifyRequest,
    reply: FastifyReply,
    actor: Actor | undefined,
  ): Promise<readonly Submitted[]> {
    const by = this.#submitter(request, actor);
    this.rates.add(by);
    try {
      const keys = keysOf(request.headers, await readBytes(request.raw, LIMITS.uploadBytes));
      return await this.inTime.answer(() => this.submissions.submit(keys, by));
    } catch (error) {
      // Nobody reads the rest of it: a client that goes on sending shall see that it is over.
      if (error instanceof DomainError && error.code === 'too_large') reply.header('connection', 'close');
      throw error;
    }
  }

  #submitter(request: FastifyRequest, actor: Actor | undefined): Submitter {
    const from = requestOrigin(request.ip, request.headers['user-agent']);
    if (actor !== undefined) return { actor, from, may: 'everything' };
    const may = this.#isNear(request.ip) ? 'everything' : this.#anonymous;
    if (may === undefined) throw credentialsMissing();
    return { actor, from, may };
  }
}

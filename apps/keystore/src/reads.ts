import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { ScsConfig } from '#libs/config';
import { credentialsMissing, parseAuthorization, passwordNotTaken, TokenVerifier } from '#libs/server';

/**
 * Who may look keys up. Usually everybody: what is presented is not even looked at, so that an expired token does not hide a public
 * key (keystore contract §0 rule 14). With SCS_KEYSTORE_READS=token whoever has a good one.
 */
@Injectable()
export class Reads {
  readonly #open: boolean;

  constructor(
    config: ScsConfig,
    private readonly verifier: TokenVerifier,
  ) {
    this.#open = config.keystore.reads === 'everybody';
  }

  /**
   * To be awaited before anything is looked up, or the time would tell what there is.
   * @returns undefined where there is nothing to wait for
   * @throws DomainError `unauthorized`
   */
  allow(authorization: string | undefined): Promise<unknown> | undefined {
    return this.#open ? undefined : this.#check(authorization);
  }

  async #check(authorization: string | undefined): Promise<void> {
    const presented = parseAuthorization(authorization);
    if (presented.kind === 'password') throw passwordNotTaken();
    if (presented.kind === 'nothing') throw credentialsMissing();
    await this.verifier.verify(presented.token, 'keystore');
  }
}

/** The same before every route of a controller that everybody may read. */
@Injectable()
export class ReadsGuard implements CanActivate {
  constructor(private readonly reads: Reads) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { headers } = context.switchToHttp().getRequest<FastifyRequest>();
    await this.reads.allow(headers.authorization);
    return true;
  }
}

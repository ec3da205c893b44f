import { Injectable } from '@nestjs/common';
import { Trail } from '#libs/audit';
import type { SignatureState } from '#libs/contract';
import type { Change } from '../database.store.js';
import { unsigned } from '../events.js';
import { EventFeed } from '../events/feed.store.js';
import { keyRevoked } from '../events/happenings.js';
import type { Image } from '../images/images.store.js';
import type { Container } from '../tree/containers.store.js';

/** An image whose signature by somebody counted, and counts no more. */
export interface SignerLoss {
  readonly image: Image;
  readonly container: Container;
  /** Lower-case. */
  readonly fingerprint: string;
  /** What the signature is now: mostly `key_revoked`, `key_expired` or `key_unknown`, when the key is gone. */
  readonly state: SignatureState;
}

/** The one place where it is told that an image has lost a signer: in the commit that takes the signer away. */
@Injectable()
export class SignerLosses {
  constructor(
    private readonly trail: Trail,
    private readonly feed: EventFeed,
  ) {}

  telling({ image, container, fingerprint, state }: SignerLoss): Change[] {
    return [
      this.trail.write(unsigned(container, image.value, { fingerprint, reason: state })),
      this.feed.write(keyRevoked(container, image.value, fingerprint)),
    ];
  }
}

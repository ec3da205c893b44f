import { createHmac, timingSafeEqual } from 'node:crypto';
import { DomainError } from '#libs/core';

/** What a challenge is for: good for this account, key and keystore, until its end, and for nothing else. */
export interface Challenge {
  /** Address of the keystore. */
  readonly keystore: string;
  readonly account: string;
  readonly username: string;
  /** Lower-case hexadecimal. */
  readonly fingerprint: string;
}

const TIME = /^until: (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)$/m;

/**
 * Texts that are to be signed with a key, to prove that an account has it. They say what they are for, so that nobody signs
 * something else without seeing it, and carry a MAC of ours, so that nothing has to be kept.
 */
export class Challenges {
  readonly #key: Buffer;

  constructor(key: Buffer) {
    this.#key = key;
  }

  /** Lines without blanks at their ends: clear-signing drops those. */
  write(challenge: Challenge, until: Date): string {
    const { keystore, account, username, fingerprint } = challenge;
    const lines = [
      'I have the primary key of this OpenPGP key. The account named here owns it in this keystore,',
      'may hide user ids of it, and may remove it.',
      '',
      `keystore: ${keystore}`,
      `account: ${username} ${account}`,
      `key: ${fingerprint.toUpperCase()}`,
      `until: ${until.toISOString()}`,
    ];
    const mac = createHmac('sha256', this.#key)
      .update(`scs-key-claim\n${lines.join('\n')}`)
      .digest('base64url');
    return [...lines, `check: ${mac}`].join('\n');
  }

  /**
   * Checks that a text is a challenge for this, and not too old.
   * @throws DomainError `forbidden`
   */
  check(text: string, challenge: Challenge, now: Date): void {
    const time = TIME.exec(text)?.[1];
    const until = new Date(time ?? Number.NaN);
    if (Number.isNaN(until.getTime())) throw notOurs();
    const given = Buffer.from(text);
    const right = Buffer.from(this.write(challenge, until));
    if (given.length !== right.length || !timingSafeEqual(given, right)) throw notOurs();
    if (until <= now)
      throw new DomainError('forbidden', 'The challenge is too old', {
        reason: 'challenge_expired',
        remedy: 'Ask for a new one and sign that.',
      });
  }
}

function notOurs(): DomainError {
  return new DomainError(
    'forbidden',
    'Expected the challenge for this key and this account, unchanged, got another text',
    { reason: 'challenge_invalid', remedy: 'Ask for a challenge and sign exactly its text.' },
  );
}

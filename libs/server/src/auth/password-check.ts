import { Injectable } from '@nestjs/common';
import type { Actor } from '#libs/contract';
import { passwordNotTaken } from './refusals.js';

/** A user name and password that somebody presents, and from where. */
export interface PasswordPresented {
  readonly username: string;
  readonly password: string;
  readonly address: string;
  /** `User-Agent`. For the audit trail. */
  readonly client?: string | undefined;
}

/** Checks a password and says who it is. @throws DomainError `unauthorized`, `too_many_requests` */
export type PasswordChecker = (presented: PasswordPresented) => Promise<Actor>;

/** The `tokenId` of a caller who proved the account by its password. No token has it. */
export const PASSWORD_PROOF = 'password';

/** Only the auth service knows passwords; it says here how to check one. Elsewhere there is none, and Basic is refused. */
@Injectable()
export class PasswordCheck {
  #checker: PasswordChecker | undefined;

  /** Called once by the auth service. */
  use(checker: PasswordChecker): void {
    this.#checker = checker;
  }

  async check(presented: PasswordPresented): Promise<Actor> {
    if (this.#checker === undefined) throw passwordNotTaken();
    return this.#checker(presented);
  }
}

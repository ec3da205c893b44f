/** The database of a service, by the address that the service will use. It holds user and password. */
export interface DatabaseAccount {
  readonly service: string;
  readonly url: string;
}

export interface InitOptions {
  /** Address with somebody who may make users; undefined: nobody is asked, and nothing is known about what is there. */
  readonly admin: string | undefined;
  readonly accounts: readonly DatabaseAccount[];
  /** Changes nothing. */
  readonly dryRun: boolean;
}

/** What was or would be done for one service. */
export interface DatabaseStep {
  readonly service: string;
  readonly database: string;
  readonly user: string;
  /** `update`: the user was there; password and role become what they should be. */
  readonly change: 'create' | 'update';
  /** The same for mongosh, which asks for the password. */
  readonly line: string;
}

/** What a server process tells the supervisor that started it, over the IPC channel between them. */
export type ServerMessage =
  | {
      readonly type: 'ready';
      readonly url: string;
      /** Names of readiness checks that do not pass yet. */
      readonly failing: readonly string[];
    }
  | { readonly type: 'failed'; readonly message: string; readonly remedy?: string | undefined };

/** `SCS_HOME/endpoint.json`: how scripts, tests and `sing` in a checkout find the running instance. */
export interface Endpoint {
  readonly url: string;
  /** What to trust besides the system's authorities. */
  readonly caFile: string;
  readonly tokenFile: string;
  readonly username: string;
  /** The supervisor. */
  readonly pid: number;
  readonly version: string;
}

/** The account that the first start makes. */
export const ADMINISTRATOR = 'admin';

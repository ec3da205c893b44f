/** How a program that a build ran has ended: one of `status` and `signal` is set. */
export interface RunResult {
  readonly status: number | undefined;
  readonly signal: string | undefined;
}

/** `host`: what the machine that builds reaches, its own ports included. `none`: a loopback of its own. */
export type BuildNetwork = 'host' | 'none';

/** A directory or file of the outside that a command of the build sees. */
export interface RunBind {
  readonly source: string;
  /** Absolute path in the container; it must exist there. */
  readonly destination: string;
  readonly readOnly: boolean;
}

export interface RunRequest {
  /** What it is, for messages: `%post`. */
  readonly name: string;
  /** Host path of the directory that becomes `/`. */
  readonly root: string;
  /** Whether the command may change it. */
  readonly writable: boolean;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly binds: readonly RunBind[];
  readonly network: BuildNetwork;
  /** Receives standard output and standard error as they come, in order. */
  readonly output: (chunk: Uint8Array) => void;
  readonly signal: AbortSignal | undefined;
}

/**
 * Runs the scripts of a definition inside the root file system that is being built, in mount and PID namespaces of their own: they see
 * nothing but that root and the given binds, and nothing of them is left when the promise settles, also after an abort.
 */
export interface ContainerRunner {
  run(request: RunRequest): Promise<RunResult>;
}

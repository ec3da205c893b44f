/** Where a build tells what it does: a terminal, or the log of a remote build. */
export interface BuildLog {
  /** A step or a remark, one line without line end. */
  info(message: string): void;
  warning(message: string): void;
  /** Output of a program that the build runs, as it came. */
  output(chunk: Uint8Array): void;
}

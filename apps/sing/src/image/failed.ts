import { UsageError } from '#libs/cli';
import { DomainError } from '#libs/core';

/**
 * Runs work whose failures begin with the words of the stock program, `Failed to verify container: …`, which scripts look for
 * (SIF contract §2.10).
 */
export async function sayingThat<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DomainError) || error instanceof UsageError || error.message.startsWith(what))
      throw error;
    const { code, message, reason, remedy, exitCode } = error;
    throw new DomainError(code, `${what}: ${message}`, {
      reason,
      cause: error,
      ...(remedy === undefined ? {} : { remedy }),
      ...(exitCode === undefined ? {} : { exitCode }),
    });
  }
}

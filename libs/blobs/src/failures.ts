import { DomainError, messageOf, systemCode } from '#libs/core';

/** What the operating system says, as what a person can do about it. Everything else stays what it is. */
const SENTENCES: Readonly<
  Record<string, { code: 'out_of_space' | 'unavailable'; message: string; remedy: string }>
> = {
  ENOSPC: {
    code: 'out_of_space',
    message: 'The blob store has no space left',
    remedy: 'Delete images that nobody needs, or ask the operator for a larger disk.',
  },
  EDQUOT: {
    code: 'out_of_space',
    message: 'The disk quota of the blob store is used up',
    remedy: 'Delete images that nobody needs, or ask the operator to raise the quota.',
  },
  EFBIG: {
    code: 'out_of_space',
    message: 'The file system of the blob store takes no file of this size',
    remedy: 'Ask the operator for a file system without such a limit.',
  },
  EROFS: {
    code: 'unavailable',
    message: 'The blob store is on a file system that is read-only at the moment',
    remedy: 'Ask the operator: a file system that turns read-only by itself has met an error.',
  },
  EACCES: {
    code: 'unavailable',
    message: 'The blob store does not let the service write',
    remedy: 'Ask the operator to check owner and mode of the folder.',
  },
  EMFILE: {
    code: 'unavailable',
    message: 'Too many files are open',
    remedy: 'Try again in a moment; the operator can raise the limit of open files.',
  },
  EIO: {
    code: 'unavailable',
    message: 'The disk of the blob store reports an error',
    remedy: 'Ask the operator to look at the disk.',
  },
};
const ALIASES: Readonly<Record<string, string>> = { EPERM: 'EACCES', ENFILE: 'EMFILE' };

/** Runs a driver's operation; its failures name the driver and, where a person can do something, say what. */
export async function inWords<T>(driver: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (error instanceof DomainError) throw error;
    const code = systemCode(error) ?? '';
    const known = SENTENCES[ALIASES[code] ?? code];
    if (known) {
      const { message, remedy } = known;
      throw new DomainError(known.code, message, { reason: known.code, remedy, cause: error });
    }
    throw new Error(`The blob driver "${driver}" failed: ${messageOf(error)}`, { cause: error });
  }
}

import { DomainError, systemCode, type ErrorCode } from './errors.js';

const SENTENCES: Readonly<Record<string, readonly [ErrorCode, (path: string) => string]>> = {
  EACCES: ['forbidden', (path) => `No permission for ${path}`],
  EDQUOT: ['out_of_space', (path) => `The disk quota is used up: ${path}`],
  EEXIST: ['conflict', (path) => `${path} already exists`],
  EISDIR: ['bad_request', (path) => `${path} is a folder`],
  ELOOP: ['bad_request', (path) => `Too many symbolic links in ${path}`],
  EMFILE: ['unavailable', (path) => `Too many open files, at ${path}`],
  ENAMETOOLONG: ['bad_request', (path) => `The name ${path} is too long`],
  ENOENT: ['not_found', (path) => `There is no ${path}`],
  ENOSPC: ['out_of_space', (path) => `No space left for ${path}`],
  ENOTDIR: ['bad_request', (path) => `A part of ${path} is not a folder`],
  ENOTEMPTY: ['conflict', (path) => `${path} is not empty`],
  EPERM: ['forbidden', (path) => `Not allowed for ${path}`],
  EROFS: ['forbidden', (path) => `${path} lies on a read-only file system`],
};

/**
 * The sentence for a system error about a file, or undefined for everything else. Such errors come from the person's own
 * files and names: they are no bugs of ours.
 */
export function fileError(error: unknown): DomainError | undefined {
  const sentence = SENTENCES[systemCode(error) ?? ''];
  if (sentence === undefined || !(error instanceof Error)) return undefined;
  const { path, dest, syscall } = error as NodeJS.ErrnoException & { dest?: string };
  if (syscall === undefined) return undefined;
  const [code, text] = sentence;
  return new DomainError(code, text(dest ?? path ?? `the file (${syscall})`), { cause: error });
}

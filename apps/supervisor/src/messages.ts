import type { ServerMessage } from '#libs/config';
import { DomainError, messageOf } from '#libs/core';

/** What another process said about its failure, as an error here. */
export function asError(message: Extract<ServerMessage, { type: 'failed' }>): DomainError {
  const options = message.remedy === undefined ? {} : { remedy: message.remedy };
  return new DomainError('unprocessable', message.message, options);
}

/** The message for a parent about an error here. */
export function failed(error: unknown): ServerMessage {
  const remedy = error instanceof DomainError ? error.remedy : undefined;
  return { type: 'failed', message: messageOf(error), remedy };
}

/** Tells the process that started this one, if it listens, and lets it go: it waits for nothing else. */
export function tellParent(message: ServerMessage): void {
  process.send?.(message, undefined, undefined, () => process.disconnect());
}

import { PREFIX } from './connection.js';

/** Remembers that a job was cancelled, for a worker that could not hear it. */
export const cancelKey = (queue: string, key: string): string => `${PREFIX}:cancelled:${queue}:${key}`;

/** Where workers of a queue hear that a job of theirs was cancelled. */
export const cancelTopic = (queue: string): string => `cancel:${queue}`;

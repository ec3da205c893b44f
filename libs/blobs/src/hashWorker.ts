/**
 * A hash thread: it computes what passes through large uploads, so that the service's thread is free for others.
 *
 * Loaded as a worker, in tests straight from this source: it imports nothing of ours but types.
 */
import { createHash, type Hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import type { HashReply, HashRequest } from './hashMessages.js';

const port = parentPort;
if (port === null) throw new Error('The hash thread runs as a worker thread only');

const hashes = new Map<number, Hash>();

/** A hash exists from the first time that it is named. */
function known(number: number): Hash {
  const found = hashes.get(number) ?? createHash('sha256');
  hashes.set(number, found);
  return found;
}

function answer(request: HashRequest): HashReply | undefined {
  const { kind, hash } = request;
  switch (kind) {
    case 'update':
      for (const chunk of request.chunks) known(hash).update(chunk);
      return '';
    case 'copy':
      hashes.set(request.to, known(hash).copy());
      return undefined;
    case 'digest':
      // The copy ends, the hash goes on.
      return known(hash).copy().digest('hex');
    case 'end':
      hashes.delete(hash);
      return undefined;
  }
}

port.on('message', (request: HashRequest) => {
  const reply = answer(request);
  if (reply !== undefined) port.postMessage(reply);
});

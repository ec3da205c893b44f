import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Node makes a new buffer for every piece that a socket receives. V8 does not see that they die young: after 64 MiB of them it
 * marks the whole heap, again and again, which costs more than hashing the same bytes does. A collection of the young
 * generation alone frees them in half a millisecond, so whoever receives many bytes says how many there were.
 */
const COLLECT_EVERY = 16 * 1024 * 1024;

let passed = 0;
let collect: (() => void) | undefined;

/** Tells that buffers of so many bytes were received and are used up, or soon will be. */
export function buffersPassed(bytes: number): void {
  passed += bytes;
  if (passed < COLLECT_EVERY) return;
  passed = 0;
  collect ??= youngCollector();
  collect();
}

/** V8's collector of the young generation; nothing where it cannot be had. */
function youngCollector(): () => void {
  try {
    setFlagsFromString('--expose-gc');
    const gc: unknown = runInNewContext('gc');
    if (typeof gc === 'function') {
      const minor = gc as (options: { type: 'minor' }) => void;
      return () => minor({ type: 'minor' });
    }
  } catch {
    // A runtime that offers none collects when it thinks best.
  }
  return () => undefined;
}

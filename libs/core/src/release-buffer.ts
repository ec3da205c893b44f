/**
 * Gives the memory of a buffer back at once. Nobody may use the buffer afterwards: it is empty then.
 *
 * Node makes a new buffer for every piece that a socket receives. Left to V8 they are collected late: memory outside of its heap
 * makes it mark the whole heap again and again, which on a busy machine costs three times as much as hashing the same bytes.
 * A buffer that shares its memory with others (a slice, a small one of Node's pool) is left to the collector.
 */
export function releaseBuffer({ buffer: memory, byteLength }: Uint8Array): void {
  if (memory instanceof ArrayBuffer && byteLength > 0 && memory.byteLength === byteLength) memory.transfer(0);
}

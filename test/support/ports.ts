import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the ports that the kernel chooses by itself (ip(7), ip_local_port_range: 32768 and above): of those, whoever listens on
 * "any port" in the meantime may be given the one that was free a moment ago. Above the last one that fetch asks for nothing (10080).
 */
const FIRST = 11_000;
const COUNT = 21_000;
/** So many does a process take before it comes to those of the next process. */
const OF_A_PROCESS = 64;

let next = process.pid * OF_A_PROCESS;

/** A TCP port of 127.0.0.1 that is free, and that nobody else is given until it is used. @throws Error when there is none */
export async function freePort(): Promise<number> {
  for (let tried = 0; tried < COUNT; tried += 1) {
    const port = FIRST + (next % COUNT);
    next += 1;
    if (await isFree(port)) return port;
  }
  throw new Error(`Expected a free port between ${FIRST} and ${FIRST + COUNT}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}

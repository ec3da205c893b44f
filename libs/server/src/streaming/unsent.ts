import type { Server } from 'node:net';
import { limitUnsent } from '#addon';
import { messageOf } from '#libs/core';
import type { Logger } from '../log.js';
import { STREAM_LIMITS } from './limits.js';
import type { Pace } from './pace.js';

/** What the system takes when nobody bounds it: as much as its buffers hold. */
const UNBOUNDED = 2 ** 32 - 1;

/**
 * Bounds what the system takes for the clients of a server that listens beyond what they take themselves. Without it a thousand clients that read slowly fill
 * all the memory that the system has for connections (tcp_mem, tcp(7)), and everybody else becomes slow.
 */
export function boundUnsent(server: Server, log: Pick<Logger, 'info'>): void {
  try {
    bound(server, STREAM_LIMITS.unsent);
  } catch (error) {
    log.info(`What the system takes for slow clients is not bounded: ${messageOf(error)}`);
  }
}

/** A client that is quick gets all that the system has, until it is slow. @param connection of a server that {@link boundUnsent} was told of */
export function fitUnsent(connection: object, pace: Pace): void {
  try {
    bound(connection, pace === 'quick' ? UNBOUNDED : STREAM_LIMITS.unsent);
  } catch {
    // It was said once, for the server.
  }
}

/** @throws Error when the native part is not built, or the system refuses */
function bound(socket: object, bytes: number): void {
  const descriptor = descriptorOf(socket);
  if (descriptor !== undefined) limitUnsent(descriptor, bytes);
}

/** Node has no public name for it. Undefined when the socket is closed, or is none. */
function descriptorOf(socket: object): number | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  const descriptor: unknown =
    typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  return typeof descriptor === 'number' && descriptor >= 0 ? descriptor : undefined;
}

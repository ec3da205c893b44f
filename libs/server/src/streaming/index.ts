export * from './event-streams.js';
export * from './limits.js';
export * from './receive.js';
export * from './send.js';
export type { ByteSource } from './sendRange.js';
export { boundUnsent } from './unsent.js';

export * from './event-streams.js';
export * from './limits.js';
export * from './receive.js';
export * from './send.js';

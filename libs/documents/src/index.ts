export * from './database-accounts.js';
export * from './init.js';
export * from './limits.js';
export * from './open.js';
export * from './port.js';

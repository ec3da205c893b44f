export * from './actor.js';
export * from './auth.js';
export * from './builder.js';
export * from './discovery.js';
export * from './envelope.js';
export * from './scopes.js';
export * from './services.js';
export * from './keystore.js';

export * from './actor.js';
export * from './auth.js';
export * from './envelope.js';
export * from './scopes.js';
export * from './services.js';

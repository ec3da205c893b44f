export * from './actor.js';
export * from './envelope.js';
export * from './services.js';

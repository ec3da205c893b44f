export * from './clock.js';
export * from './digest.js';
export * from './errors.js';
export * from './ids.js';

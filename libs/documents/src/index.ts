export * from './limits.js';
export * from './open.js';
export * from './port.js';

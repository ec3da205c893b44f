export * from './http.js';
export * from './http/answer.js';
export * from './http/connections.js';
export * from './http/failures.js';
export * from './http/limits.js';

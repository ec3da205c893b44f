export * from './byteRange.js';
export * from './clock.js';
export * from './digest.js';
export * from './errors.js';
export * from './ids.js';
export * from './libraryRef.js';
export * from './rootTree.js';

export { type OciImage, type OciLayer, openLayout, type SelectImage, verifyLayer } from './layout.js';
export type { RunConfig } from './schema.js';
export { applyLayer, unpackArchive, type UnpackOptions } from './unpack.js';

export { type OciImage, type OciLayer, openLayout, type SelectImage, verifyLayer } from './layout.js';
export type { RunConfig } from './schema.js';
export { applyLayer, unpackArchive, type UnpackOptions } from './unpack.js';
export { AuthFile } from './registry/authFile.js';
export type { Credentials } from './registry/authorization.js';
export { REGISTRY_LIMITS } from './registry/limits.js';
export {
  isRegistryHost,
  parseRegistryReference,
  referenceText,
  type RegistryReference,
} from './registry/reference.js';
export {
  checkLogin,
  type LoginCheck,
  RegistryClient,
  type RegistryOptions,
} from './registry/registryClient.js';
export { findSif, pushSif, type PushedSif, sifDownload, type SifArtifact } from './registry/sifArtifact.js';

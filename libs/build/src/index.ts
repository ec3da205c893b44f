export { type BuildRequest, type BuiltImage, buildImage } from './engine.js';
export type { BuildLog } from './log.js';
export type { HostFiles } from './rootfs/files.js';
export { hostArchitecture } from './rootfs/architecture.js';
export type { ContainerRunner, RunBind, RunRequest, RunResult } from './runner.js';
export { AGENTS, type PullBase } from './sources/source.js';
export { unsupportedSections } from './rootfs/metadata.js';

export * from './libraryClient.js';
export { pullImage, type PullOptions, type PullProgress } from './pull.js';
export { uploadMemories } from './uploadMemory.js';
export { pushImage, type PushOptions, type PushProgress, type PushResult } from './push.js';

export * from './libraryClient.js';
export { LibraryManageClient, type ManagedPath } from './manageClient.js';
export { pullImage, type PullOptions, type PullProgress } from './pull.js';
export { uploadMemories } from './uploadMemory.js';
export { LibraryUpkeepClient } from './upkeep.js';
export { pushImage, type PushOptions, type PushProgress, type PushResult } from './push.js';

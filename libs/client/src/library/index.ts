export * from './libraryClient.js';
export { partialFiles, removePlaced } from './partialFile.js';
export { placeCopy, pullImage, type PullOptions, type PullProgress } from './pull.js';
export type { Retry } from './retry.js';
export { uploadMemories } from './uploadMemory.js';
export { LibraryUpkeepClient } from './upkeep.js';
export { pushImage, type PushOptions, type PushProgress, type PushResult } from './push.js';

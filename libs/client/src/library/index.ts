export * from './libraryClient.js';
export { pullImage, type PullOptions } from './pull.js';
export { pushImage, type PushOptions, type PushProgress, type PushResult } from './push.js';

export * from './libraryClient.js';
export type { PullOptions } from './pull.js';
export type { PushOptions, PushProgress, PushResult } from './push.js';

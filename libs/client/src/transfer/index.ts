export { downloadFile, placeCopy, type DownloadOptions, type DownloadProgress } from './download.js';
export { partialFiles, removePlaced } from './partialFile.js';
export { modificationDate, strongEtag, type Requester } from './ranges.js';
export { persist, type Retry, type RetryOptions } from './retry.js';
export { SourceFile } from './sourceFile.js';

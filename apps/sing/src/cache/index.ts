import { defineGroup } from '#libs/cli';
import { cacheClean } from './clean.js';
import { cacheList } from './list.js';

export const cacheGroup = defineGroup({
  name: 'cache',
  summary: 'look after images that were fetched and kept',
  commands: [cacheClean, cacheList],
});

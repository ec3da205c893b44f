import { defineCommand } from '#libs/cli';
import { addFlags, addKeyServer } from '../keyserver/add.js';
import { remoteArgument } from '../keyserver/changing.js';
import { removeKeyServer } from '../keyserver/remove.js';
import { globalFlag } from './global.js';

/* Verbs of older stock programs, for scripts. */

const url = { name: 'url', summary: 'address of the key server' } as const;

export const remoteAddKeyServer = defineCommand({
  name: 'add-keyserver',
  hidden: true,
  summary: 'what sing keyserver add is now',
  positionals: [remoteArgument, url],
  flags: addFlags,
  async run(ctx) {
    ctx.log.warning('remote add-keyserver is deprecated', 'Say: sing keyserver add');
    await addKeyServer(ctx, ctx.args, ctx.flags);
  },
});

export const remoteRemoveKeyServer = defineCommand({
  name: 'remove-keyserver',
  hidden: true,
  summary: 'what sing keyserver remove is now',
  positionals: [remoteArgument, url],
  flags: globalFlag,
  async run(ctx) {
    ctx.log.warning('remote remove-keyserver is deprecated', 'Say: sing keyserver remove');
    await removeKeyServer(ctx, ctx.args, ctx.flags);
  },
});

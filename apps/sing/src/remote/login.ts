import { defineCommand } from '#libs/cli';
import { currentRemote, listRemotes, remoteNamed } from '../remotes/remotes.js';
import { refuseServers } from './servers.js';
import { logIn, tokenFlags } from './token.js';

export const remoteLogin = defineCommand({
  name: 'login',
  summary: 'store a token for a remote after checking it',
  positionals: [{ name: 'name', summary: 'name of the remote; the one in use when absent', optional: true }],
  flags: {
    ...tokenFlags,
    // The stock program takes them for other servers, and here they change nothing: a token says whose it is.
    username: {
      type: 'string',
      short: 'u',
      value: 'NAME',
      env: ['LOGIN_USERNAME'],
      hidden: true,
      summary: 'not needed',
    },
    insecure: {
      type: 'boolean',
      short: 'i',
      env: ['LOGIN_INSECURE'],
      hidden: true,
      summary: 'as the remote was added',
    },
  },
  examples: [
    { line: 'sing remote login', summary: 'ask for the token' },
    { line: 'sing remote login --tokenfile ~/token lab', summary: 'take it from a file' },
  ],
  async run(ctx) {
    const { name } = ctx.args;
    refuseServers('login', name);
    const remote =
      name === undefined ? await currentRemote(ctx) : remoteNamed((await listRemotes(ctx)).remotes, name);
    await logIn(ctx, remote, ctx.flags);
  },
});

import { defineCommand } from '#libs/cli';
import { currentRemote, listRemotes, remoteNamed } from '../remotes/remotes.js';
import { logIn, tokenFlags } from './token.js';

export const remoteLogin = defineCommand({
  name: 'login',
  summary: 'store a token for a remote after checking it',
  positionals: [{ name: 'name', summary: 'name of the remote; the one in use when absent', optional: true }],
  flags: tokenFlags,
  examples: [
    { line: 'sing remote login', summary: 'ask for the token' },
    { line: 'sing remote login --tokenfile ~/token lab', summary: 'take it from a file' },
  ],
  async run(ctx) {
    const { name } = ctx.args;
    const remote =
      name === undefined ? await currentRemote(ctx) : remoteNamed((await listRemotes(ctx)).remotes, name);
    await logIn(ctx, remote, ctx.flags);
  },
});

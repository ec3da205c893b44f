import { defineCommand, jsonFlag } from '#libs/cli';
import { currentRemote, listRemotes, remoteNamed } from '../remotes/remotes.js';

export const remoteStatus = defineCommand({
  name: 'status',
  summary: 'ask every service of a remote how it is, and whether you are logged in',
  description:
    'Shows who you are, what the token may do and until when, where the token service says so. ' +
    'Fails when the front end cannot be reached, when there is no library, when a service does not answer, or when the stored token is refused.',
  positionals: [{ name: 'name', summary: 'name of the remote; the one in use when absent', optional: true }],
  flags: jsonFlag,
  async run(ctx) {
    const { name } = ctx.args;
    const remote =
      name === undefined ? await currentRemote(ctx) : remoteNamed((await listRemotes(ctx)).remotes, name);
    const { showStatus } = await import('./services.js');
    await showStatus(ctx, remote, ctx.flags);
  },
});

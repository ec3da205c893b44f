import { defineCommand } from '#libs/cli';
import { DomainError } from '#libs/core';
import { changeRemoteFile } from '../remotes/remote-file.js';
import { currentRemote, listRemotes, remoteNamed } from '../remotes/remotes.js';
import { refuseServers } from './servers.js';
import { globalEntry } from './token.js';

export const remoteLogout = defineCommand({
  name: 'logout',
  summary: 'forget the token of a remote',
  positionals: [{ name: 'name', summary: 'name of the remote; the one in use when absent', optional: true }],
  async run(ctx) {
    const { name } = ctx.args;
    refuseServers('logout', name);
    const remote =
      name === undefined ? await currentRemote(ctx) : remoteNamed((await listRemotes(ctx)).remotes, name);
    if (remote.origin === 'instance') {
      throw new DomainError('conflict', `The token of ${remote.name} belongs to the instance itself`, {
        reason: 'instance_token',
        remedy: 'Use another remote with sing remote use NAME',
      });
    }
    await changeRemoteFile(ctx, (file) =>
      file.with(remote.name, { ...(remote.global ? globalEntry(remote) : {}), token: undefined }),
    );
    ctx.log.info(`Logged out of "${remote.name}". The token itself stays valid until it is revoked.`);
  },
});

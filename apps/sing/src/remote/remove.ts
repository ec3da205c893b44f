import { defineCommand } from '#libs/cli';
import { DomainError } from '#libs/core';
import { forgetAuthorities } from '../remotes/authority.js';
import { changeRemoteFile } from '../remotes/remote-file.js';
import { listRemotes, remoteNamed } from '../remotes/remotes.js';

export const remoteRemove = defineCommand({
  name: 'remove',
  aliases: ['rm'],
  summary: 'forget a remote and its token',
  positionals: [{ name: 'name', summary: 'name of the remote' }],
  async run(ctx) {
    const { remotes } = await listRemotes(ctx);
    const remote = remoteNamed(remotes, ctx.args.name);
    if (remote.origin === 'instance') {
      throw new DomainError('conflict', `${remote.name} is the instance on this machine`, {
        reason: 'instance',
        remedy: 'Stop it with ./scripts/down',
      });
    }
    await changeRemoteFile(ctx, (file) => file.without(remote.name));
    await forgetAuthorities(ctx, remote.name);
    ctx.log.info(`Remote "${remote.name}" removed.`);
  },
});

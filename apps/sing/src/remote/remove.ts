import { defineCommand } from '#libs/cli';
import { DomainError } from '#libs/core';
import { forgetAuthorities } from '../remotes/authority.js';
import { changeGlobalFile, changeRemoteFile, readRemoteFile } from '../remotes/remote-file.js';
import { listRemotes, remoteNamed } from '../remotes/remotes.js';
import { globalFlag, notGlobal } from './global.js';

export const remoteRemove = defineCommand({
  name: 'remove',
  aliases: ['rm'],
  summary: 'forget a remote and its token',
  positionals: [{ name: 'name', summary: 'name of the remote' }],
  flags: globalFlag,
  async run(ctx) {
    const { name } = ctx.args;
    if (ctx.flags.global) {
      await changeGlobalFile((file) => {
        if (file.get(name) === undefined) throw notGlobal(name);
        return file.without(name);
      });
      ctx.log.info(`Remote "${name}" removed, for all users.`);
      return;
    }
    const own = (await readRemoteFile(ctx)).get(name);
    const remote = remoteNamed((await listRemotes(ctx)).remotes, name);
    if (remote.global && own?.system !== false) {
      throw new DomainError('forbidden', `${name} is global and can't be removed`, {
        reason: 'global_remote',
        remedy: 'Use another one with sing remote use NAME; root removes it with --global',
      });
    }
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

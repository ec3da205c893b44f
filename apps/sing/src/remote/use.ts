import { defineCommand } from '#libs/cli';
import { DomainError } from '#libs/core';
import { changeRemoteFile } from '../remotes/remote-file.js';
import { listRemotes, remoteNamed } from '../remotes/remotes.js';

export const remoteUse = defineCommand({
  name: 'use',
  summary: 'choose the remote that commands work with from now on',
  positionals: [{ name: 'name', summary: 'name of the remote' }],
  flags: {
    global: { type: 'boolean', short: 'g', hidden: true, summary: 'for all users' },
    exclusive: { type: 'boolean', short: 'e', hidden: true, summary: 'and forbid others' },
  },
  examples: [{ line: 'sing remote use lab', summary: 'work with the site called lab' }],
  async run(ctx) {
    const { args, flags, log } = ctx;
    if (flags.global || flags.exclusive) {
      throw new DomainError('not_implemented', 'Remotes for all users are not offered');
    }
    const remote = remoteNamed((await listRemotes(ctx)).remotes, args.name);
    // The instance of this machine is in no file: it is used when none of the file's is.
    await changeRemoteFile(ctx, (file) =>
      file.withActive(remote.origin === 'instance' ? undefined : remote.name),
    );
    log.info(`"${remote.name}" is used from now on.`);
  },
});

import { defineCommand } from '#libs/cli';
import { changeGlobalFile, changeRemoteFile, type RemoteFile } from '../remotes/remote-file.js';
import { listRemotes, refuseOthers, remoteNamed } from '../remotes/remotes.js';
import { globalFlag, notGlobal } from './global.js';

export const remoteUse = defineCommand({
  name: 'use',
  summary: 'choose the remote that commands work with from now on',
  positionals: [{ name: 'name', summary: 'name of the remote' }],
  flags: {
    ...globalFlag,
    exclusive: {
      type: 'boolean',
      short: 'e',
      summary: 'for all users, and no other may be used (root only)',
    },
  },
  examples: [{ line: 'sing remote use lab', summary: 'work with the site called lab' }],
  async run(ctx) {
    const { args, flags, log } = ctx;
    if (flags.global || flags.exclusive) {
      await changeGlobalFile((file) => useForAll(file, args.name, flags.exclusive));
      log.info(
        `"${args.name}" is used from now on by all users${flags.exclusive ? ', and no other' : ' who do not choose another'}.`,
      );
      return;
    }
    const { remotes, exclusive } = await listRemotes(ctx);
    const remote = remoteNamed(remotes, args.name);
    refuseOthers(exclusive, args.name);
    // The instance of this machine is in no file: it is used when none of the file's is.
    await changeRemoteFile(ctx, (file) =>
      file.withActive(remote.origin === 'instance' ? undefined : remote.name),
    );
    log.info(`"${remote.name}" is used from now on.`);
  },
});

/** At most one remote is exclusive. */
function useForAll(file: RemoteFile, name: string, exclusive: boolean): RemoteFile {
  if (file.get(name) === undefined) throw notGlobal(name);
  const freed = file.names.reduce((all, each) => all.with(each, { exclusive: false }), file);
  return freed.with(name, { exclusive }).withActive(name);
}

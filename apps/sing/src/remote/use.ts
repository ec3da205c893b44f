import { defineCommand } from '#libs/cli';
import { changeGlobalFile, changeRemoteFile, type RemoteFile } from '../remotes/remote-file.js';
import { listRemotes, refuseOthers, remoteNamed, uriForFile } from '../remotes/remotes.js';
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
    const { remotes, exclusive, preset } = await listRemotes(ctx);
    const remote = remoteNamed(remotes, args.name);
    refuseOthers(exclusive, args.name);
    await changeRemoteFile(ctx, (file) => {
      if (remote.origin === 'file') return file.withActive(remote.name);
      // The instance of this machine is in no file: it is used when none of the files' is.
      if (preset === remote.name) return file.withActive(undefined);
      const { frontend, insecure } = remote;
      return file
        .with(remote.name, { uri: uriForFile(frontend, insecure), insecure })
        .withActive(remote.name);
    });
    log.info(`"${remote.name}" is used from now on.`);
  },
});

/** At most one remote is exclusive. */
function useForAll(file: RemoteFile, name: string, exclusive: boolean): RemoteFile {
  if (file.get(name) === undefined) throw notGlobal(name);
  const freed = file.names.reduce((all, each) => all.with(each, { exclusive: false }), file);
  return freed.with(name, { exclusive }).withActive(name);
}

import type { Facts } from '../facts.js';
import type { Account, HostIdentity } from '../host.js';
import { settingOf } from '../options/environmentFlags.js';
import { absolutePath } from '../paths.js';
import type { AbsolutePath, Bytes, InstancePlace } from '../plan.js';

/** Where the caller's own instances are kept (runtime contract §1.8): in the folder that the rest of the command line uses, too. */
export function instancePlace(
  facts: Pick<Facts, 'identity' | 'account' | 'environment' | 'workingDirectory'>,
): InstancePlace {
  const { identity, account } = facts;
  return placeBelow(configFolder(facts), identity, account?.name ?? String(identity.uid));
}

/** The caller's own folder, which the rest of the command line uses, too. */
export function configFolder(
  facts: Pick<Facts, 'account' | 'environment' | 'workingDirectory'>,
): AbsolutePath {
  const { account, environment, workingDirectory } = facts;
  const given = settingOf(environment, 'CONFIGDIR');
  const home = environment.get('HOME') ?? account?.home ?? '/';
  return absolutePath(workingDirectory, given === null ? `${home}/.singularity` : given.value);
}

/** Where those of somebody else are, who has set nothing. */
export function placeOf(account: Account, identity: HostIdentity): InstancePlace {
  return placeBelow(absolutePath(null, `${account.home}/.singularity`), identity, account.name);
}

function placeBelow(config: AbsolutePath, identity: HostIdentity, user: Bytes): InstancePlace {
  return {
    config,
    host: isPart(identity.hostName) ? identity.hostName : 'localhost',
    user: isPart(user) ? user : String(identity.uid),
  };
}

/** Whether a name may be one part of a path. */
function isPart(name: Bytes): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('/') && name.length <= 255;
}

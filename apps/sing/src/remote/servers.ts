import { UsageError } from '#libs/cli';

/** Older stock programs logged in to key servers and registries with the verbs of remotes; each has a noun of its own now. */
export function refuseServers(verb: 'login' | 'logout', name: string | undefined): void {
  const scheme = /^([a-z]+):\/\//i.exec(name ?? '')?.[1]?.toLowerCase();
  if (scheme === undefined || name === undefined) return;
  const noun = scheme === 'docker' || scheme === 'oras' ? 'registry' : 'keyserver';
  throw new UsageError(`remote ${verb}`, `${name} is an address, and a remote has a name`, {
    remedy: `Say: sing ${noun} ${verb} ${name}`,
  });
}

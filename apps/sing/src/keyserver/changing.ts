import type { Surroundings } from '#libs/cli';
import { DomainError } from '#libs/core';
import { isSame } from '../key/server.js';
import {
  changeGlobalFile,
  changeRemoteFile,
  type KeyServerEntry,
  type RemoteFile,
} from '../remotes/remote-file.js';
import { currentRemote, listRemotes, type Remote, remoteNamed, uriForFile } from '../remotes/remotes.js';
import { withRemote } from '../session.js';
import type { Same } from './order.js';

export const remoteArgument = {
  name: 'remote',
  summary: 'name of the remote; the one in use when absent',
  optional: true,
} as const;

/** Compares addresses of key servers as the clients of key servers read them. */
export async function comparer(): Promise<Same> {
  const { keystoreBaseUrl } = await import('#libs/client');
  return (a, b) => isSame(a, b, keystoreBaseUrl);
}

/** The remote that is meant. @throws DomainError when there is none */
async function chosenRemote(place: Surroundings, name: string | undefined): Promise<Remote> {
  return name === undefined ? currentRemote(place) : remoteNamed((await listRemotes(place)).remotes, name);
}

/**
 * Changes the list of a remote, in the person's own remote.yaml or in that of all users.
 * @param change gets the list with the remote's own key server in it, as the stock programs write it
 * @throws DomainError when the remote is the administrator's and the person is not
 */
export async function changeKeyServers(
  place: Surroundings,
  { remote, global }: { readonly remote: string | undefined; readonly global: boolean },
  change: (list: readonly KeyServerEntry[]) => readonly KeyServerEntry[],
): Promise<Remote> {
  const chosen = await chosenRemote(place, remote);
  if (chosen.global !== global) throw global ? notGlobal(chosen) : ofAllUsers(chosen);
  const own =
    chosen.keyservers.length > 0
      ? undefined
      : await withRemote(place, chosen, (session) => session.uri('keystore'));
  const apply = (file: RemoteFile): RemoteFile => {
    const entry = file.get(chosen.name);
    const before = entry?.keyservers ?? [];
    const list =
      before.length === 0 && own !== undefined
        ? [{ uri: own, skip: false, external: false, insecure: false }]
        : before;
    const after = change(list);
    // The remote's own alone is what is there without a list; its address may change.
    const plain = after.every(({ external, skip }) => !external && !skip);
    return file.with(chosen.name, {
      ...(entry === undefined
        ? { uri: uriForFile(chosen.frontend, chosen.insecure), insecure: chosen.insecure }
        : {}),
      keyservers: plain ? [] : after,
    });
  };
  await (global ? changeGlobalFile(apply) : changeRemoteFile(place, apply));
  return chosen;
}

const ofAllUsers = ({ name }: Remote) =>
  new DomainError('forbidden', `The remote ${name} is set up for all users: its key servers are, too`, {
    reason: 'global_remote',
    remedy: 'As root, say --global; or ask another key server once, with --url',
  });

const notGlobal = ({ name }: Remote) =>
  new DomainError('conflict', `The remote ${name} is yours alone`, {
    reason: 'not_global',
    remedy: 'Say it without --global',
  });

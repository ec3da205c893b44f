import type { Surroundings } from '#libs/cli';
import { DomainError, expected } from '#libs/core';
import { keptAuthorities } from './authority.js';
import { findInstance } from './instance.js';
import {
  type Credential,
  type KeyServerEntry,
  readGlobalFile,
  readRemoteFile,
  type RemoteEntry,
  type RemoteFile,
} from './remote-file.js';

/** The name under which a running instance of this machine is a remote. */
export const LOCAL = 'local';

/** A front end with everything that is needed to use it. */
export interface Remote {
  readonly name: string;
  /** Address of the front end, without a trailing slash. */
  readonly frontend: string;
  readonly token: string | undefined;
  /** PEM of the authority that the instance's certificates come from: trusted there, and nobody else. */
  readonly ca: string | undefined;
  /** PEM of authorities that were named for this remote (`remote add --ca`): trusted besides everybody's. */
  readonly alsoTrusts: string | undefined;
  /** The person asked for plain HTTP. */
  readonly insecure: boolean;
  readonly exclusive: boolean;
  /** It is set up for all users. */
  readonly global: boolean;
  /** In the order in which they are asked; empty: the one that it offers itself. */
  readonly keyservers: readonly KeyServerEntry[];
  /** How the person is logged in to servers that are no remotes. */
  readonly credentials: readonly Credential[];
  /** Where it is written down. */
  readonly origin: 'instance' | 'file';
}

export interface RemoteList {
  readonly remotes: readonly Remote[];
  readonly active: string | undefined;
  /** The one that the administrator allows alone; undefined: all of them may be used. */
  readonly exclusive: string | undefined;
  /** The one that is used by whoever chose none. */
  readonly preset: string | undefined;
}

type Place = Pick<Surroundings, 'env' | 'cwd' | 'log' | 'globals'>;

/** All remotes: the running instance of this machine, those of all users, then the person's own. */
export async function listRemotes(place: Place): Promise<RemoteList> {
  const [instance, file, everybodys] = await Promise.all([
    findInstance(place),
    readRemoteFile(place),
    readGlobalFile(),
  ]);
  const { credentials } = file;
  const remotes: Remote[] = [];
  if (instance !== undefined) {
    remotes.push({
      name: LOCAL,
      frontend: instance.url,
      token: instance.token,
      ca: instance.ca,
      alsoTrusts: undefined,
      insecure: instance.url.startsWith('http:'),
      exclusive: false,
      global: false,
      keyservers: file.get(LOCAL)?.keyservers ?? [],
      credentials,
      origin: 'instance',
    });
  }
  for (const [name, entry, global] of [...globalEntries(place, file, everybodys), ...ownEntries(file)]) {
    if (remotes.some((remote) => remote.name === name)) continue;
    const frontend = frontendOf(entry);
    const { token, insecure, exclusive, keyservers } = entry;
    if (frontend === undefined) place.log.verbose(`The remote ${name} has no usable address: ${entry.uri}`);
    else
      remotes.push({
        name,
        frontend,
        token,
        ca: undefined,
        alsoTrusts: await keptAuthorities(place, name, frontend),
        insecure,
        exclusive,
        global,
        keyservers,
        credentials,
        origin: 'file',
      });
  }
  const exclusive = everybodys.names.find((name) => everybodys.get(name)?.exclusive === true);
  const preset = everybodys.active ?? (instance === undefined ? undefined : LOCAL);
  return { remotes, active: exclusive ?? file.active ?? preset, exclusive, preset };
}

type Entry = readonly [name: string, entry: RemoteEntry, global: boolean];

/** What the administrator set up, with the person's token: address, exclusiveness and key servers are the administrator's. */
function globalEntries({ log }: Place, own: RemoteFile, everybodys: RemoteFile): Entry[] {
  return everybodys.names.flatMap((name): Entry[] => {
    const entry = everybodys.get(name);
    if (entry === undefined) return [];
    const mine = own.get(name);
    if (mine !== undefined && !mine.system)
      log.warning(
        `Your remote ${name} is not used: one for all users has its name`,
        `Remove yours, and add it under another name: sing remote remove ${name}`,
      );
    return [[name, { ...entry, token: mine?.system === true ? mine.token : undefined }, true]];
  });
}

function ownEntries(file: RemoteFile): Entry[] {
  return file.names.flatMap((name): Entry[] => {
    const entry = file.get(name);
    return entry === undefined ? [] : [[name, entry, false]];
  });
}

/**
 * The remote that a command works with: `--remote NAME`, else the one of `remote use`, else that of all users, else the running
 * instance.
 * @throws DomainError `not_found` with reason `no_remote`; `forbidden` when another one is exclusive
 */
export async function currentRemote(place: Place): Promise<Remote> {
  const { remotes, active, exclusive } = await listRemotes(place);
  const asked = place.globals['remote'];
  const name = typeof asked === 'string' ? asked : active;
  if (name === undefined) {
    const home = place.env.get('SCS_HOME');
    const where = home === undefined ? '' : `, and no instance runs in SCS_HOME (${home})`;
    throw new DomainError('not_found', `No remote is chosen${where}`, {
      reason: 'no_remote',
      remedy: 'Start an instance with ./scripts/up, or add one: sing remote add NAME ADDRESS',
    });
  }
  refuseOthers(exclusive, name);
  return remoteNamed(remotes, name);
}

/** @throws DomainError `forbidden` when the administrator allows another remote alone */
export function refuseOthers(exclusive: string | undefined, name: string): void {
  if (exclusive === undefined || exclusive === name) return;
  throw new DomainError(
    'forbidden',
    `could not use ${name}: remote ${exclusive} has been set exclusive by the system administrator`,
    { reason: 'exclusive_remote', remedy: `Work with it: sing --remote ${exclusive} …` },
  );
}

/** @throws DomainError `not_found` with reason `unknown_remote` */
export function remoteNamed(remotes: readonly Remote[], name: string): Remote {
  const remote = remotes.find((each) => each.name === name);
  if (remote !== undefined) return remote;
  const known = remotes.map((each) => each.name).join(', ');
  throw new DomainError('not_found', `There is no remote named ${name}`, {
    reason: 'unknown_remote',
    remedy: known === '' ? 'Add it: sing remote add NAME ADDRESS' : `Known are: ${known}`,
  });
}

/** The address of an entry of remote.yaml; undefined when it is none. */
export function frontendOf({ uri, insecure }: Pick<RemoteEntry, 'uri' | 'insecure'>): string | undefined {
  const rest = uri.replace(/^https?:/i, '').replace(/^\/\//, '');
  const url = URL.parse(`${insecure ? 'http' : 'https'}://${rest}`);
  return url === null || url.hostname === '' ? undefined : url.href.replace(/\/+$/, '');
}

/**
 * Reads an address as a person types it for `remote add` and returns the form that remote.yaml holds: host and path for
 * the standard port, `//host:port/path` otherwise, which the stock program can read, too (library contract §2.2).
 * @throws DomainError `bad_request`
 */
export function uriForFile(address: string, insecure: boolean): string {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(address)?.[1]?.toLowerCase();
  if (scheme === 'http' && !insecure) {
    throw new DomainError('bad_request', `${address} is not encrypted`, {
      reason: 'insecure_address',
      remedy: 'Use https://, or say --insecure when you are sure',
    });
  }
  const wrong = new DomainError(
    'bad_request',
    expected('a host name or an https:// address', 'a remote', address),
  );
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https') throw wrong;
  const rest = address.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '').replace(/^\/\//, '');
  const url = URL.parse(`${insecure ? 'http' : 'https'}://${rest}`);
  if (url === null || url.hostname === '' || url.username !== '' || url.search !== '' || url.hash !== '')
    throw wrong;
  const path = url.pathname.replace(/\/+$/, '');
  return url.port === '' ? `${url.hostname}${path}` : `//${url.host}${path}`;
}

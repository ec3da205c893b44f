import { chmod, mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Surroundings } from '#libs/cli';
import { DomainError, messageOf, placeFile, systemCode, withFileLock } from '#libs/core';
import { configFolder, makePrivate } from '../folders.js';
import { configurationFolder } from '../installation.js';
import { isTrustedFile } from '../trusted-file.js';
import { isMap, parseYaml, printYaml, type Yaml, type YamlMap } from './yaml.js';

type Place = Pick<Surroundings, 'env' | 'cwd' | 'log'>;

const MAXIMUM_SIZE = 1024 * 1024;

/** One entry of `Keyservers` of a remote (runtime contract §3.8). */
export interface KeyServerEntry {
  readonly uri: string;
  /** It is the remote's own and was taken out of the list: the stock programs mark it instead of forgetting it. */
  readonly skip: boolean;
  /** False: it is what the remote itself offers, reached with the token of the remote. */
  readonly external: boolean;
  /** Whatever certificate it has. */
  readonly insecure: boolean;
}

/** One entry of `Credentials`: how somebody is logged in to a server that is no remote. */
export interface Credential {
  readonly uri: string;
  /** The whole value of `Authorization`. */
  readonly auth: string;
  readonly insecure: boolean;
}

/** One entry of `Remotes`. */
export interface RemoteEntry {
  /** Host and path without a scheme, `//host:port`, or a whole address (library contract §2.2). */
  readonly uri: string;
  readonly token: string | undefined;
  /** Discovery without TLS. */
  readonly insecure: boolean;
  readonly exclusive: boolean;
  /** It was taken over from the file of all users. */
  readonly system: boolean;
  /** In the order in which they are asked; empty: the one that the remote itself offers. */
  readonly keyservers: readonly KeyServerEntry[];
}

/**
 * `remote.yaml`, shared with the stock program: `Active`, `Remotes: {NAME: {URI, Token, System, Exclusive, Insecure,
 * Keyservers}}` and `Credentials` (library contract §2.2, runtime contract §3.8). "Unknown keys are rejected" by the stock
 * program, so none is added; those that are there and that nobody changes (credentials of registries) stay as they are.
 */
export class RemoteFile {
  readonly #document: YamlMap;

  constructor(document: YamlMap) {
    this.#document = document;
  }

  get active(): string | undefined {
    const active = this.#document['Active'];
    return typeof active === 'string' && active !== '' ? active : undefined;
  }

  get names(): readonly string[] {
    return Object.keys(this.#remotes());
  }

  get(name: string): RemoteEntry | undefined {
    const entry = this.#remotes()[name];
    if (!isMap(entry)) return undefined;
    return {
      uri: textOf(entry, 'URI') ?? '',
      token: textOf(entry, 'Token'),
      insecure: isTrue(entry, 'Insecure'),
      exclusive: isTrue(entry, 'Exclusive'),
      system: isTrue(entry, 'System'),
      keyservers: mapsIn(entry['Keyservers']).map((server) => ({
        uri: textOf(server, 'URI') ?? '',
        skip: isTrue(server, 'Skip'),
        external: isTrue(server, 'External'),
        insecure: isTrue(server, 'Insecure'),
      })),
    };
  }

  /** Those of key servers and of registries. */
  get credentials(): readonly Credential[] {
    return mapsIn(this.#document['Credentials']).map((one) => ({
      uri: textOf(one, 'URI') ?? '',
      auth: textOf(one, 'Auth') ?? '',
      insecure: isTrue(one, 'Insecure'),
    }));
  }

  /** A copy in which a credential takes the place of those that `replaces` names; undefined: of which they are gone. */
  withCredential(credential: Credential | undefined, replaces: (uri: string) => boolean): RemoteFile {
    const { Credentials: before, ...document } = this.#document;
    const kept = (Array.isArray(before) ? (before as readonly Yaml[]) : []).filter(
      (one) => !isMap(one) || !replaces(textOf(one, 'URI') ?? ''),
    );
    const added =
      credential === undefined
        ? []
        : [{ URI: credential.uri, Auth: credential.auth, Insecure: String(credential.insecure) }];
    const all = [...kept, ...added];
    return new RemoteFile(all.length === 0 ? document : { ...document, Credentials: all });
  }

  /** A copy with another active remote; undefined: none. */
  withActive(name: string | undefined): RemoteFile {
    return new RemoteFile({ ...this.#document, Active: name ?? '' });
  }

  /** A copy with an entry made or changed; keys of it that are not given stay. */
  with(name: string, change: Partial<RemoteEntry>): RemoteFile {
    const before = this.#remotes()[name];
    const entry: Record<string, Yaml> = isMap(before)
      ? { ...before }
      : { URI: '', Token: '', System: 'false', Exclusive: 'false' };
    if (change.uri !== undefined) entry['URI'] = change.uri;
    if ('token' in change) entry['Token'] = change.token ?? '';
    if (change.insecure !== undefined) {
      if (change.insecure) entry['Insecure'] = 'true';
      else delete entry['Insecure'];
    }
    if (change.exclusive !== undefined) entry['Exclusive'] = String(change.exclusive);
    if (change.system !== undefined) entry['System'] = String(change.system);
    if (change.keyservers?.length === 0) delete entry['Keyservers'];
    else if (change.keyservers !== undefined) {
      entry['Keyservers'] = change.keyservers.map(({ uri, skip, external, insecure }) => ({
        URI: uri,
        Skip: String(skip),
        External: String(external),
        Insecure: String(insecure),
      }));
    }
    return new RemoteFile({
      ...this.#document,
      Active: this.#document['Active'] ?? '',
      Remotes: { ...this.#remotes(), [name]: entry },
    });
  }

  /** A copy without an entry. */
  without(name: string): RemoteFile {
    const { [name]: _gone, ...remotes } = this.#remotes();
    const active = this.active === name ? '' : (this.#document['Active'] ?? '');
    return new RemoteFile({ ...this.#document, Active: active, Remotes: remotes });
  }

  toText(): string {
    return printYaml(this.#document);
  }

  #remotes(): YamlMap {
    const remotes = this.#document['Remotes'];
    return isMap(remotes) ? remotes : {};
  }
}

function textOf(entry: YamlMap, key: string): string | undefined {
  const value = entry[key];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

const isTrue = (entry: YamlMap, key: string): boolean => textOf(entry, key) === 'true';

const mapsIn = (value: Yaml | undefined): readonly YamlMap[] =>
  Array.isArray(value) ? (value as readonly Yaml[]).filter(isMap) : [];

/** Path of the person's remote.yaml. */
function remoteFilePath(place: Place): string {
  return join(configFolder(place), 'remote.yaml');
}

/** Path of the one for all users (runtime contract §0.2). */
function globalFilePath(): string {
  return join(configurationFolder(), 'remote.yaml');
}

/** Reads the person's file; a missing one is empty. "remote.yaml 0600 forced (holds tokens)" (runtime contract §1.8). */
export async function readRemoteFile(place: Place): Promise<RemoteFile> {
  const path = remoteFilePath(place);
  return read(path, async (mode) => {
    if ((mode & 0o077) === 0) return;
    place.log.warning(`${path} holds tokens and could be read by others; its mode is 0600 now`);
    await chmod(path, 0o600);
  });
}

/**
 * Reads what the administrator set up for all users; a missing file is empty.
 * @throws DomainError when others could have written it
 */
export async function readGlobalFile(): Promise<RemoteFile> {
  const path = globalFilePath();
  if (!(await isTrustedFile(path))) return new RemoteFile({});
  return read(path, async () => undefined);
}

/** @param look gets the mode before the file is read */
async function read(path: string, look: (mode: number) => Promise<void>): Promise<RemoteFile> {
  try {
    const { mode, size } = await stat(path);
    if (size > MAXIMUM_SIZE)
      throw new DomainError('too_large', `${path} is larger than ${MAXIMUM_SIZE} bytes`);
    await look(mode);
    return new RemoteFile(parseYaml(await readFile(path, 'utf8')));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return new RemoteFile({});
    if (error instanceof DomainError && error.reason === 'bad_yaml') {
      throw new DomainError('bad_request', `${path} cannot be read: ${messageOf(error)}`, {
        reason: 'bad_remote_file',
        remedy: 'Correct it, or move it away and add the remotes again',
      });
    }
    throw error;
  }
}

/** Changes the file while no other program of ours does; what cannot be read is never overwritten. */
export async function changeRemoteFile(
  place: Place,
  change: (file: RemoteFile) => RemoteFile,
): Promise<void> {
  await makePrivate(configFolder(place), place);
  const path = remoteFilePath(place);
  await withFileLock(`${path}.lock`, async () => {
    const text = change(await readRemoteFile(place)).toText();
    await placeFile(path, { overwrite: true, mode: 0o600 }, (file) => file.writeFile(text));
  });
}

/**
 * The same for the file of all users, which everybody reads: no token goes into it.
 * @throws DomainError for anybody but root
 */
export async function changeGlobalFile(change: (file: RemoteFile) => RemoteFile): Promise<void> {
  if (process.geteuid?.() !== 0)
    throw new DomainError('forbidden', 'Only root may change what is set up for all users', {
      reason: 'not_root',
      remedy: 'Without --global it is set up for yourself',
    });
  const path = globalFilePath();
  await mkdir(configurationFolder(), { recursive: true, mode: 0o755 });
  await withFileLock(`${path}.lock`, async () => {
    const text = change(await readGlobalFile()).toText();
    await placeFile(path, { overwrite: true, mode: 0o644 }, (file) => file.writeFile(text));
  });
}

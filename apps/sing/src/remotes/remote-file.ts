import { chmod, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Surroundings } from '#libs/cli';
import { DomainError, messageOf, placeFile, systemCode, withFileLock } from '#libs/core';
import { configFolder, makePrivate } from '../folders.js';
import { isMap, parseYaml, printYaml, type Yaml, type YamlMap } from './yaml.js';

type Place = Pick<Surroundings, 'env' | 'cwd' | 'log'>;

const MAXIMUM_SIZE = 1024 * 1024;

/** One entry of `Remotes`. */
export interface RemoteEntry {
  /** Host and path without a scheme, `//host:port`, or a whole address (library contract §2.2). */
  readonly uri: string;
  readonly token: string | undefined;
  /** Discovery without TLS. */
  readonly insecure: boolean;
  readonly exclusive: boolean;
}

/**
 * `remote.yaml`, shared with the stock program: `Active` and `Remotes: {NAME: {URI, Token, System, Exclusive, Insecure}}`
 * (library contract §2.2). "Unknown keys are rejected" by the stock program, so none is added; those that are there
 * (key servers, credentials) stay as they are.
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
    const text = (key: string) => {
      const value = entry[key];
      return typeof value === 'string' && value !== '' ? value : undefined;
    };
    return {
      uri: text('URI') ?? '',
      token: text('Token'),
      insecure: text('Insecure') === 'true',
      exclusive: text('Exclusive') === 'true',
    };
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

/** Path of the person's remote.yaml. */
function remoteFilePath(place: Place): string {
  return join(configFolder(place), 'remote.yaml');
}

/** Reads the file; a missing one is empty. "remote.yaml 0600 forced (holds tokens)" (runtime contract §1.8). */
export async function readRemoteFile(place: Place): Promise<RemoteFile> {
  const path = remoteFilePath(place);
  try {
    const { mode, size } = await stat(path);
    if (size > MAXIMUM_SIZE)
      throw new DomainError('too_large', `${path} is larger than ${MAXIMUM_SIZE} bytes`);
    if ((mode & 0o077) !== 0) {
      place.log.warning(`${path} holds tokens and could be read by others; its mode is 0600 now`);
      await chmod(path, 0o600);
    }
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

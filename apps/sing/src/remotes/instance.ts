import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Surroundings } from '#libs/cli';
import { DomainError, systemCode } from '#libs/core';
import { installation } from '../installation.js';

/** An instance of ours on this machine. */
export interface Instance {
  readonly url: string;
  /** PEM. */
  readonly ca: string | undefined;
  readonly token: string | undefined;
  /** Folder of its state. */
  readonly home: string;
}

/**
 * The instance of `SCS_HOME`, or of the checkout that this program lies in, or undefined when there is none.
 * @throws DomainError when it is there but cannot be read
 */
export async function findInstance({
  env,
  cwd,
}: Pick<Surroundings, 'env' | 'cwd'>): Promise<Instance | undefined> {
  const named = env.get('SCS_HOME');
  const home = named === undefined ? join(installation().folder, '.scs') : resolve(cwd, named);
  const path = join(home, 'endpoint.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    // Somebody else's instance in a shared checkout is not ours to use.
    if (named === undefined && code === 'EACCES') return undefined;
    throw error;
  }
  const endpoint = parseEndpoint(text);
  if (endpoint === undefined) {
    throw new DomainError('bad_request', `${path} is not what scripts/up writes`, {
      reason: 'bad_endpoint_file',
      remedy: 'Start the instance again with ./scripts/up',
    });
  }
  const { url, caFile, tokenFile } = endpoint;
  return {
    url: url.replace(/\/+$/, ''),
    ca: await readOptional(resolve(home, caFile)),
    token: (await readOptional(resolve(home, tokenFile)))?.trim(),
    home,
  };
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

interface Endpoint {
  readonly url: string;
  readonly caFile: string;
  readonly tokenFile: string;
}

/** What `scripts/up` writes about a running instance; undefined for anything else. By hand: every command waits for it. */
function parseEndpoint(text: string): Endpoint | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { url, caFile, tokenFile } = value as Record<string, unknown>;
  if (typeof url !== 'string' || typeof caFile !== 'string' || typeof tokenFile !== 'string')
    return undefined;
  return /^https?:$/.test(URL.parse(url)?.protocol ?? '') ? { url, caFile, tokenFile } : undefined;
}

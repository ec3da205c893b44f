import { X509Certificate } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Surroundings } from '#libs/cli';
import { DomainError, expected, placeFile, systemCode } from '#libs/core';
import { configFolder, makePrivate } from '../folders.js';

type Place = Pick<Surroundings, 'env' | 'cwd' | 'log'>;

const MAXIMUM_BYTES = 1024 * 1024;

/**
 * Authorities that remotes are trusted by, a file for each. They stand beside remote.yaml and not in it: "Unknown keys are
 * rejected" by the stock program (library contract §2.2).
 */
function folderOf(place: Place): string {
  return join(configFolder(place), 'remote-ca');
}

const fileOf = (place: Place, name: string): string => join(folderOf(place), `${name}.pem`);

/** The first line: a remote that was removed by another program and made anew for another server is not trusted by it. */
const headOf = (frontend: string): string => `# ${frontend}\n`;

/**
 * The certificates of a file in PEM.
 * @param origin where the file was named, for messages
 * @throws DomainError when it cannot be read or holds no certificate
 */
export async function readAuthorities(
  place: Pick<Surroundings, 'cwd'>,
  file: string,
  origin: string,
): Promise<string> {
  const path = resolve(place.cwd, file);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new DomainError(
      'bad_request',
      `${expected('a file that can be read', origin, file)} (${systemCode(error) ?? 'unreadable'})`,
      { reason: 'bad_ca_file', cause: error },
    );
  }
  const found = text.length > MAXIMUM_BYTES ? null : text.match(CERTIFICATE);
  const good = found?.every((pem) => isCertificate(pem)) === true;
  if (found === null || !good)
    throw new DomainError('bad_request', expected('certificates in PEM', origin, file), {
      reason: 'bad_ca_file',
      remedy: 'The file begins with -----BEGIN CERTIFICATE-----; an instance of SCS has it at /ca.pem',
    });
  return `${found.join('\n')}\n`;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

/** Keeps the authorities of a remote. */
export async function keepAuthorities(
  place: Place,
  remote: { readonly name: string; readonly frontend: string },
  pem: string,
): Promise<void> {
  await makePrivate(configFolder(place), place);
  await makePrivate(folderOf(place), place);
  const text = headOf(remote.frontend) + pem;
  await placeFile(fileOf(place, remote.name), { overwrite: true, mode: 0o600 }, (file) =>
    file.writeFile(text),
  );
}

/** What was kept for a remote at this address; undefined: nothing. */
export async function keptAuthorities(
  place: Place,
  name: string,
  frontend: string,
): Promise<string | undefined> {
  // Names of remotes that other programs made are not always names of files.
  if (!/^[\w.-]+$/.test(name)) return undefined;
  try {
    const text = await readFile(fileOf(place, name), 'utf8');
    const head = headOf(frontend);
    return text.startsWith(head) ? text.slice(head.length) : undefined;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

export async function forgetAuthorities(place: Place, name: string): Promise<void> {
  if (/^[\w.-]+$/.test(name)) await rm(fileOf(place, name), { force: true });
}

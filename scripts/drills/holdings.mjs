import { createPrivateKey } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Nothing larger is a secret of ours. */
const LARGEST = 100_000;

/**
 * Every secret that a service holds: in its state folder, in the files that its settings name, and in the settings themselves.
 * @returns `{ keys, words, raw }`: private keys as JWK with where they are from; secrets that are text; secrets that are bytes
 */
export function holdingsOf({ home, certificate, env }) {
  const found = { keys: [], words: [], raw: [] };
  for (const file of [...filesBelow(home), certificate.keyFile]) {
    const bytes = readFileSync(file);
    const text = bytes.toString('latin1');
    const key = privateKeyIn(text);
    if (key !== undefined) found.keys.push({ file, key });
    else if (/\.(key|token|password)$/.test(file)) {
      found.raw.push({ file, bytes });
      found.words.push({ file, text: text.trim() });
    }
  }
  for (const [name, value] of Object.entries(env))
    if (name.endsWith('_URL') && value.includes('password=')) found.words.push({ file: name, text: value });
  return found;
}

/** Files of the state folder that may hold a secret, all of them. */
export function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((file) => statSync(file).size <= LARGEST);
}

/** A private key on the curve that tokens are signed with, as a JWK: in a JWK, or in PEM. */
function privateKeyIn(text) {
  try {
    const jwk = /^\s*\{/.test(text) ? JSON.parse(text) : createPrivateKey(text).export({ format: 'jwk' });
    return typeof jwk.d === 'string' && jwk.crv === 'P-256' ? jwk : undefined;
  } catch {
    return undefined;
  }
}

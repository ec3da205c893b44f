import { join } from 'node:path';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { Trail } from '#libs/audit';
import { ADMINISTRATOR } from '#libs/config';
import { CreateUserRequest, DAY_SECONDS, PASSWORD_LENGTH, SCOPE_NAMES } from '#libs/contract';
import { type Clock, DomainError, newObjectId, newSecret } from '#libs/core';
import { type Logger, readSmallFile, removeLeftovers, writeOnce, writeWhole } from '#libs/server';
import type { AccountsService } from './accounts.service.js';
import type { AccountsStore } from './accounts.store.js';
import { accountCreated, tokenCreated } from './events.js';
import { AUTH_LIMITS } from './limits.js';
import type { RevocationsStore } from './revocations.store.js';
import type { Instance, SettingsStore } from './settings.store.js';
import type { SigningKeys } from './signing-keys.js';
import type { TokensService } from './tokens.service.js';
import type { StoredToken, TokensStore } from './tokens.store.js';

const FIRST_TOKEN = { name: 'first start', scopes: SCOPE_NAMES, lifetime: 365 * DAY_SECONDS } as const;

export interface FirstStartParts {
  readonly home: string;
  readonly keys: SigningKeys;
  readonly settings: SettingsStore;
  readonly accounts: AccountsService;
  readonly accountsStore: AccountsStore;
  readonly tokens: TokensService;
  readonly tokensStore: TokensStore;
  readonly commits: RevocationsStore;
  readonly trail: Trail;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Decides what the instance is, once: its name, the account `admin` and its first token, in one commit. The password file is
 * written before it and the token file after it, so that a start that is killed anywhere is completed by the next one.
 */
export async function beginInstance(parts: FirstStartParts): Promise<Instance> {
  await removeLeftovers(parts.home);
  const found = await parts.settings.get();
  if (found !== undefined) return found;
  const password = await administratorPassword(join(parts.home, 'admin.password'));
  const request = CreateUserRequest.parse({
    username: ADMINISTRATOR,
    password,
    displayName: 'Administrator',
    administrator: true,
  });
  const account = { id: newObjectId(), value: await parts.accounts.prepare(request) };
  const tokenId = newObjectId();
  const instance: Instance = {
    issuer: `urn:scs:${newObjectId()}`,
    accountId: account.id,
    firstTokenId: tokenId,
    complete: false,
  };
  const token = { id: tokenId, value: parts.tokens.prepare(account, FIRST_TOKEN) };
  await parts.settings.begin(instance, [
    ...parts.accountsStore.creation(account.id, account.value),
    parts.tokensStore.creation(token.id, token.value),
    parts.trail.write(accountCreated(null, account.value)),
    parts.trail.write(tokenCreated(null, token)),
  ]);
  // Another process may have begun at the same time: what is stored counts.
  const stored = await parts.settings.get();
  if (stored === undefined) throw new Error('The first start could not be written');
  return stored;
}

/** A password that somebody put there before the first start is taken, and so is one of a start that was killed. */
async function administratorPassword(file: string): Promise<string> {
  const text = (await readSmallFile(file)) ?? (await writeOnce(file, `${newSecret(18)}\n`));
  const [password = ''] = text.split('\n');
  const { minimum, maximum } = PASSWORD_LENGTH;
  if (password.length < minimum || password.length > maximum)
    throw new DomainError(
      'unprocessable',
      `Expected a password of ${minimum} to ${maximum} characters in the first line of ${file}`,
      { reason: 'bad_password_file', remedy: 'Correct the file, or remove it to get a random password.' },
    );
  return password;
}

/**
 * Writes the token file if the first start did not come that far. Later a file that is still there is renewed before its token
 * expires, or when its signing key was retired; one that was removed or whose token was revoked is left alone.
 */
export async function completeTokenFile(parts: FirstStartParts, instance: Instance): Promise<void> {
  const file = join(parts.home, 'admin.token');
  if (!instance.complete) {
    const token = await parts.tokensStore.get(instance.firstTokenId);
    if (token === undefined) throw new Error('The token of the first start is missing');
    await writeTokenFile(parts, file, token);
    await parts.settings.change({ complete: true });
    return;
  }
  const text = await readSmallFile(file);
  const token = text === undefined ? undefined : await tokenOf(parts, text);
  if (text === undefined || token === undefined || token.value.revokedAt !== undefined) return;
  const left = (Date.parse(token.value.expiresAt) - parts.clock.now().getTime()) / 1000;
  if (left < AUTH_LIMITS.renewBeforeSeconds) await renew(parts, file, token);
  else if (!parts.keys.has(decodeProtectedHeader(text.trim()).kid)) await writeTokenFile(parts, file, token);
}

async function renew(parts: FirstStartParts, file: string, old: StoredToken): Promise<void> {
  const account = await parts.accounts.get(old.value.accountId);
  const id = newObjectId();
  const value = parts.tokens.prepare(account, { ...FIRST_TOKEN, scopes: old.value.scopes });
  await parts.commits.commit(async () => ({
    announcements: [],
    writes: [parts.tokensStore.creation(id, value), parts.trail.write(tokenCreated(null, { id, value }))],
  }));
  await writeTokenFile(parts, file, { id, revision: 1, value });
}

async function writeTokenFile(parts: FirstStartParts, file: string, token: StoredToken): Promise<void> {
  const account = await parts.accounts.get(token.value.accountId);
  await writeWhole(file, `${await parts.tokens.sign(account, token)}\n`);
  parts.log.info({ file, tokenId: token.id }, 'The administrator token was written');
}

/** The record of the token in a file; undefined when it is none of ours. Nothing is granted by it, so it is not verified. */
async function tokenOf(parts: FirstStartParts, text: string): Promise<StoredToken | undefined> {
  try {
    const { jti } = decodeJwt(text.trim());
    return jti === undefined ? undefined : await parts.tokensStore.get(jti);
  } catch {
    return undefined;
  }
}

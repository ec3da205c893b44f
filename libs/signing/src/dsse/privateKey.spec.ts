import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { keyIdOf } from './key.js';
import { openPrivateKey } from './privateKey.js';
import { openSecretBox } from './secretbox.js';

const PASSPHRASE = 'secret';
const ask = async () => PASSPHRASE;

/** Made by the library of sigstore, with the passphrase "secret". */
const SIGSTORE = `-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----
eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJOIjo2NTUzNiwiciI6
OCwicCI6MX0sInNhbHQiOiJyM0dmTzdVUHl1SGRJWUYyMjFJYWFvNmtSamYxYmR0
Y2tHVGdkcFpPa0NzPSJ9LCJjaXBoZXIiOnsibmFtZSI6Im5hY2wvc2VjcmV0Ym94
Iiwibm9uY2UiOiJuYTBXanVaU1hBdkpicVYwK3hCMVpVTTR3dUEwSFlTcSJ9LCJj
aXBoZXJ0ZXh0IjoiY1RsZm54cTRTQXpFS2lobUsxTkNQWU5DN0tIZ1h1S2ZYM2Ni
R2xRZEp5T1d5S2xrYWNmZkJUUU9yQlJlajBCWmNGM1QzYyt3cWxDdWtTZVBoejJC
b2d1MTF0YXMvU2E0TWZxWUVkMGEzWURjMEtuenViTk1uZHA1dlJrRGxJQTY4QXdp
RkFiWWFTcjFybkR6QmJ2M0Npd0R6aWE3R3dKVDFiKzc0d0NYRWtMMjJjTXk4QVZF
Wm1xQkg5WFE4aGVxNUd3N3BMU00yeWJiRVE9PSJ9
-----END ENCRYPTED SIGSTORE PRIVATE KEY-----
`;
const SIGSTORE_PUBLIC = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZnJQxKX+zWRMFRjwuFDvnEE7jv9f
PMUm7Gpdg9htoQz6HtF4VuYUXYDdshLhYcSu+SvSBMsUBMz30lJTVrXsTg==
-----END PUBLIC KEY-----
`;

describe('a private key with a passphrase', () => {
  it('of sigstore is opened', async () => {
    const key = await openPrivateKey(SIGSTORE, ask);
    expect(keyIdOf(key)).toBe(keyIdOf(createPublicKey(SIGSTORE_PUBLIC)));
    const cosign = SIGSTORE.replaceAll('SIGSTORE', 'COSIGN');
    expect(keyIdOf(await openPrivateKey(cosign, ask))).toBe(keyIdOf(key));
  });

  it.each(['pkcs8', 'sec1'] as const)('of OpenSSL is opened: %s', async (type) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    const pem = privateKey.export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSPHRASE });
    expect(keyIdOf(await openPrivateKey(String(pem), ask))).toBe(keyIdOf(privateKey));
    await expect(openPrivateKey(String(pem), async () => 'wrong')).rejects.toMatchObject({
      reason: 'wrong_passphrase',
      exitCode: 255,
    });
  });

  it('is not asked for one that has none', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const never = () => Promise.reject(new Error('asked'));
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    expect(keyIdOf(await openPrivateKey(String(pem), never))).toBe(keyIdOf(privateKey));
  });

  const sealed = (change: (json: Record<string, never>) => unknown): string => {
    const json = JSON.parse(
      Buffer.from(SIGSTORE.split('\n').slice(1, -2).join(''), 'base64').toString(),
    ) as Record<string, never>;
    const text = Buffer.from(JSON.stringify(change(json))).toString('base64');
    return `-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n${text}\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----\n`;
  };
  const costs = (params: object) =>
    sealed((json) => ({ ...json, kdf: { ...(json['kdf'] as unknown as object), params } }));

  it.each([
    ['with another passphrase', SIGSTORE, async () => 'wrong', 'passphrase does not open'],
    ['that is damaged', SIGSTORE.replace(/\n\w{8}/, '\nAAAAAAAA'), ask, 'it is damaged'],
    [
      'of another kind',
      sealed(({ kdf, ...json }) => ({ ...json, kdf: { name: 'argon2', kdf } })),
      ask,
      'a way that is not offered',
    ],
    ['that costs too much', costs({ N: 2 ** 20, r: 8, p: 1 }), ask, 'take too long'],
    ['that costs odd things', costs({ N: 60_000, r: 8, p: 1 }), ask, 'take too long'],
    [
      'without a nonce',
      sealed((json) => ({ ...json, cipher: { name: 'nacl/secretbox' } })),
      ask,
      'passphrase does not open',
    ],
  ])('%s is refused', async (_what, pem, answer, why) => {
    await expect(openPrivateKey(pem, answer)).rejects.toThrow(why);
  });
});

// The example of "Cryptography in NaCl" (D. J. Bernstein, 2009), sections 8 to 10.
it('a box is opened as its makers say', () => {
  const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
  const key = hex('1b27556473e985d4 62cd51197a9a46c7 6009549eac6474f2 06c4ee0844f68389');
  const nonce = hex('69696ee955b62b73 cd62bda875fc73d6 8219e0036b7a0b37');
  const box = hex(`
    f3ffc7703f9400e5 2a7dfb4b3d3305d9 8e993b9f48681273 c29650ba32fc76ce
    48332ea7164d96a4 476fb8c531a1186a c0dfc17c98dce87b 4da7f011ec48c972
    71d2c20f9b928fe2 270d6fb863d51738 b48eeee314a7cc8a b932164548e526ae
    90224368517acfea bd6bb3732bc0e9da 99832b61ca01b6de 56244a9e88d5f9b3
    7973f622a43d14a6 599b1f654cb45a74 e355a5`);
  const message = openSecretBox(key, nonce, box);
  expect(message?.toString('hex')).toMatch(/^be075fc53c81f2d5cf141316ebeb0c7b/);
  expect(message).toHaveLength(131);
  for (let at = 0; at < box.length; at += 1) {
    const changed = Buffer.from(box);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(openSecretBox(key, nonce, changed)).toBeUndefined();
  }
  expect(openSecretBox(key.subarray(1), nonce, box)).toBeUndefined();
});

import { describe, expect, it } from 'vitest';
import { AuthFile } from './authFile.js';

const auth = (text: string) => Buffer.from(text).toString('base64');
const fileOf = (auths: object, more: object = {}) => AuthFile.parse(JSON.stringify({ auths, ...more }));

describe('credentials for registries', () => {
  it('are found under the name of the registry, whatever form it has', () => {
    const file = fileOf({
      'ghcr.io': { auth: auth('ann:one') },
      'https://quay.io': { auth: auth('ann:t:wo') },
      'http://old.example.org/v1/': { auth: auth('ann:three') },
      'https://index.docker.io/v1/': { auth: auth('ann:four\0\0') },
      'plain.example.org': { username: 'ann', password: 'five' },
    });
    expect(file.find('ghcr.io')).toEqual({ username: 'ann', password: 'one' });
    expect(file.find('GHCR.io')?.password).toBe('one');
    expect(file.find('quay.io')?.password).toBe('t:wo');
    expect(file.find('old.example.org')?.password).toBe('three');
    expect(file.find('docker.io')?.password).toBe('four');
    expect(file.find('registry-1.docker.io')?.password).toBe('four');
    expect(file.find('plain.example.org')?.password).toBe('five');
    expect(file.hosts).toEqual([
      'ghcr.io',
      'index.docker.io',
      'old.example.org',
      'plain.example.org',
      'quay.io',
    ]);
  });

  it('are for nobody else: not for another port, a part of a name, or all of a registry when they are for a part', () => {
    const file = fileOf({
      'host:5000': { auth: auth('a:b') },
      'other.org/group': { auth: auth('a:b') },
      'example.org': { auth: auth('a:b') },
    });
    for (const host of [
      'host',
      'host:5001',
      'other.org',
      'ample.org',
      'x.example.org',
      'example.org.evil.net',
    ])
      expect(file.find(host)).toBeUndefined();
  });

  it.each([[{ auth: '' }], [{ auth: auth('nocolon') }], [{ auth: auth(':x') }], [{}], [{ username: 'ann' }]])(
    'are not %j',
    (entry) => {
      expect(fileOf({ h: entry }).find('h')).toBeUndefined();
    },
  );

  it('are added and removed, and everything else stays', () => {
    const file = fileOf(
      { 'https://h/v2/': { auth: auth('a:b') }, g: { auth: auth('c:d') } },
      { credsStore: 'x', proxies: { a: 1 } },
    );
    const changed = AuthFile.parse(file.with('h', { username: 'ann', password: 'pw' }).toText());
    expect(changed.find('h')).toEqual({ username: 'ann', password: 'pw' });
    expect(JSON.parse(changed.toText())).toEqual({
      auths: { g: { auth: auth('c:d') }, h: { auth: auth('ann:pw') } },
      credsStore: 'x',
      proxies: { a: 1 },
    });
    expect(changed.without('h').hosts).toEqual(['g']);
    expect(
      Object.keys(
        (JSON.parse(file.with('docker.io', { username: 'a', password: 'b' }).toText()) as { auths: object })
          .auths,
      ),
    ).toContain('https://index.docker.io/v1/');
  });

  it.each(['', '{}', '{"auths":{}}'])('of %j are none', (text) => {
    expect(AuthFile.parse(text).hosts).toEqual([]);
  });

  it.each(['[]', '{"auths":[]}', '{"auths":{"h":5}}', '{"auths":{"h":{"auth":"secret"}'])(
    'of a broken file are refused without showing a part of it: %s',
    (text) => {
      let message = '';
      try {
        AuthFile.parse(text);
      } catch (error) {
        message = String(error);
      }
      expect(message).toContain('cannot be read');
      expect(message).not.toContain('secret');
    },
  );
});

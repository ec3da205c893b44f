import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '#libs/config';
import { endpointOf } from './endpoint.js';
import { alreadyRunning, summary } from './summary.js';

describe('the summary', () => {
  it('names address, account, token, authority and what to type next', () => {
    const text = summary(loadConfig({}), []);
    for (const part of [
      'https://localhost:8443',
      'admin, password in',
      'admin.token',
      'ca.pem',
      './bin/sing remote status',
    ])
      expect(text).toContain(part);
    expect(text).not.toContain('SCS_HOME=');
  });

  it('says the state folder in every line to type when it is another one, as a shell takes it', () => {
    const home = join('/srv', "it's mine");
    expect(summary(loadConfig({ SCS_HOME: home }), [])).toContain(
      String.raw`SCS_HOME='/srv/it'\''s mine' ./bin/sing remote status`,
    );
    expect(summary(loadConfig({ SCS_HOME: '/srv/scs' }), [])).toContain('SCS_HOME=/srv/scs ./scripts/down');
  });

  it('says what is not offered', () => {
    expect(summary(loadConfig({}), ['Remote builds are off'])).toContain('note       Remote builds are off');
  });

  it('says whether what runs already is what was built last', () => {
    const config = loadConfig({ SCS_HOME: '/srv/scs' });
    const endpoint = endpointOf(config, 77);
    expect(alreadyRunning(config, endpoint, true)).toBe(
      'Already running in /srv/scs (process 77): https://localhost:8443\nStop it with ./scripts/down.\n',
    );
    expect(alreadyRunning(config, endpoint, false)).toContain('./scripts/down && ./scripts/up');
  });
});

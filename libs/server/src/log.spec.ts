import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createLog, plainLines, redactUrl, type Logger } from './log.js';

describe('a request target in the log', () => {
  it.each([
    ['/v1/build', '/v1/build'],
    ['/pks/lookup?op=get&search=token', '/pks/lookup?op=get&search=token'],
    ['/x?token=a', '/x?token=***'],
    ['/x?a=1&AUTH_TOKEN=b=c&d=2', '/x?a=1&AUTH_TOKEN=***&d=2'],
    ['/x?sig=a&b=1&X-Amz-Signature=c', '/x?sig=***&b=1&X-Amz-Signature=***'],
    ['/x?%74oken=a&%zz=b', '/x?%74oken=***&%zz=b'],
    ['/x?token', '/x?token=***'],
    ['/x?a&&token=b&', '/x?a&&token=***&'],
    ['/x?a=?token=b', '/x?a=?token=b'],
  ])('%s is %s', (target, shown) => {
    expect(redactUrl(target)).toBe(shown);
  });

  it('loses the value of every parameter that is a secret, and nothing else', () => {
    const part = fc.constantFrom(
      'token',
      'sig',
      'Key',
      'op',
      'a',
      '=',
      '&',
      '?',
      '%6bey',
      '%',
      '',
      'x-amz-y',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const query = parts.join('');
        const shown = query.split('&').map((pair) => {
          const name = pair.replace(/=.*$/s, '');
          const plain = name.replaceAll('%6b', 'k').toLowerCase();
          return /^(token|sig|key|x-amz-.*)$/.test(plain) ? `${name}=***` : pair;
        });
        expect(redactUrl(`/path?${query}`)).toBe(`/path?${shown.join('&')}`);
      }),
    );
  });
});

describe('a line of the log', () => {
  let folder: string;
  let log: Logger;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'scs-log-'));
    log = createLog('x', 'info', folder);
  });
  afterEach(() => {
    vi.useRealTimers();
    rmSync(folder, { recursive: true });
  });
  const lines = (): unknown[] =>
    readFileSync(join(folder, 'x.log'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);

  it('keeps secrets out, unless its fields are known to be none', () => {
    const fields = { token: 'hunter2', deep: { password: 'hunter2' } };
    log.info(fields, 'one');
    plainLines(log)('info', { ...fields, msg: 'two' });
    plainLines(log)('debug', fields);
    log.info(fields, 'three');
    const [kept, open] = [{ token: '***', deep: { password: '***' } }, fields];
    expect(lines()).toMatchObject([kept, open, kept].map((shown) => ({ level: 30, process: 'x', ...shown })));
  });

  it('has the time of its own millisecond', () => {
    vi.useFakeTimers();
    for (const time of [1_000_000_000_000, 1_000_000_000_000, 1_000_000_000_001]) {
      vi.setSystemTime(time);
      log.info('line');
    }
    const times = ['2001-09-09T01:46:40.000Z', '2001-09-09T01:46:40.000Z', '2001-09-09T01:46:40.001Z'];
    expect(lines()).toMatchObject(times.map((time) => ({ time })));
  });
});

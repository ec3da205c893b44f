import { describe, expect, it } from 'vitest';
import { Reachable } from './addresses.js';
import { targetOf } from './target.js';

describe('addresses that webhooks reach', () => {
  const internet = new Reachable([]);

  it.each(['93.184.216.34', '1.1.1.1', '2606:2800:220:1:248:1893:25c8:1946', '::ffff:93.184.216.34'])(
    '%s: one of the internet',
    (address) => expect(internet.allows(address)).toBe(true),
  );

  it.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '172.31.255.255',
    '192.0.0.8',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    'fe80::1',
    'fe80::1%eth0',
    'fc00::1',
    'fd12:3456::1',
    'fec0::1',
    'ff02::1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::1',
    'example.org',
    '',
  ])('%s: not', (address) => expect(internet.allows(address)).toBe(false));

  it('are also those that the operator has named, and no others', () => {
    const site = new Reachable(['10.1.0.0/16', '127.0.0.1', 'fd00::/8']);
    expect(
      ['10.1.2.3', '::ffff:10.1.2.3', '127.0.0.1', 'fd12::1', '1.1.1.1'].map((one) => site.allows(one)),
    ).toEqual([true, true, true, true, true]);
    expect(['10.2.0.1', '127.0.0.2', 'fc00::1', '192.168.1.1'].map((one) => site.allows(one))).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(['127.0.0.1', '10.1.2.3', 'localhost'].map((one) => site.allowsPlain(one))).toEqual([
      true,
      false,
      false,
    ]);
    expect(internet.allowsPlain('127.0.0.1')).toBe(false);
  });

  it('of a name are looked up, and judged one by one', async () => {
    expect(await internet.addressOf('localhost')).toBeUndefined();
    expect(await new Reachable(['127.0.0.1']).addressOf('localhost')).toBe('127.0.0.1');
    expect(await internet.addressOf('[::1]')).toBeUndefined();
    expect(await internet.addressOf('1.1.1.1')).toBe('1.1.1.1');
  });

  it('are taken as they are written in an address', () => {
    expect(targetOf('https://example.org/hook?key=x', internet)).toBe('https://example.org/hook?key=x');
    for (const url of ['https://127.1/', 'https://0177.0.0.1/', 'https://[::ffff:7f00:1]/'])
      expect(() => targetOf(url, internet)).toThrow('outside of this network');
    expect(targetOf('http://127.0.0.1:9/x', new Reachable(['127.0.0.0/8']))).toBe('http://127.0.0.1:9/x');
  });
});

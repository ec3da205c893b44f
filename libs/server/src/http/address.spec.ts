import { describe, expect, it } from 'vitest';
import { blockListOf, clientAddress } from './address.js';

const trusted = blockListOf(['127.0.0.1', '10.0.0.0/8', 'fd00::/8']);
const of = (connection: string, forwarded?: string | string[]): string =>
  clientAddress(connection, forwarded, trusted);

describe('the address of a client', () => {
  it.each([
    ['192.0.2.1', undefined],
    ['192.0.2.1', '198.51.100.7'],
    ['127.0.0.2', '198.51.100.7'],
    ['::1', '198.51.100.7'],
    ['', '198.51.100.7'],
  ])(
    'is that of the connection where %s is no proxy that was named (X-Forwarded-For: %s)',
    (connection, said) => {
      expect(of(connection, said)).toBe(connection);
    },
  );

  it.each([
    ['198.51.100.7', '198.51.100.7'],
    // What its client claimed stands in front of what the proxy heard.
    ['127.0.0.1, 203.0.113.9, 198.51.100.7', '198.51.100.7'],
    ['203.0.113.9, 198.51.100.7, 10.1.2.3, fd00::2', '198.51.100.7'],
    ['10.1.2.3, 10.1.2.4', '10.1.2.3'],
    ['198.51.100.7:4711', '198.51.100.7'],
    ['[2001:db8::1]:443', '2001:db8::1'],
  ])('is in what a proxy that was named says: %s', (said, address) => {
    expect(of('10.0.0.1', said)).toBe(address);
  });

  it.each([
    '',
    'unknown',
    '<script>',
    '198.51.100.7 OR 1=1',
    'fe80::1%eth0',
    '999.1.1.1',
    '198.51.100.7, _hidden',
    '198.51.100.7, ',
  ])('is the proxy where it says nothing that is an address: %j', (said) => {
    expect(of('10.0.0.1', said)).toBe('10.0.0.1');
  });

  it('is found in headers that came several times, and in ones that are far too long', () => {
    expect(of('10.0.0.1', ['203.0.113.9', '198.51.100.7'])).toBe('198.51.100.7');
    const long = ['198.51.100.7', ...Array.from({ length: 1000 }, () => '10.0.0.2')].join(',');
    expect(of('10.0.0.1', long)).toBe('10.0.0.2');
  });

  it('is the same in the form of IPv6 that IPv4 has on a server of both', () => {
    expect(of('::ffff:10.0.0.1', '198.51.100.7')).toBe('198.51.100.7');
    expect(of('::ffff:192.0.2.1', '198.51.100.7')).toBe('::ffff:192.0.2.1');
  });
});

import { hostname, networkInterfaces } from 'node:os';
import { isIP } from 'node:net';
import type { ScsConfig } from '#libs/config';

/** A certificate with more names than this would be refused by some clients. */
const MOST_NAMES = 100;

/**
 * Every name and address that the own certificate must be good for: localhost, the machine's own, the addresses to listen on,
 * the public URL and SCS_NAMES. Sorted, lower case, without repetition.
 */
export function certificateNames(config: ScsConfig): string[] {
  const names = [
    'localhost',
    '127.0.0.1',
    '::1',
    hostname(),
    ...machineAddresses(),
    ...[config.host, config.metrics?.host].filter(isOne),
    hostOf(config.publicUrl),
    ...config.names,
  ].map((name) => name.toLowerCase());
  return [...new Set(names)]
    .filter((name) => isIP(name) !== 0 || /^[a-z0-9.-]+$/.test(name))
    .sort()
    .slice(0, MOST_NAMES);
}

/** A name or an address that somebody can ask for, and not all of them. */
function isOne(host: string | undefined): host is string {
  return host !== undefined && host !== '0.0.0.0' && host !== '::';
}

/** The name or address in a URL, an IPv6 address without its brackets. */
export function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '');
}

function machineAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address, scopeid }) => !internal && !scopeid && !address.startsWith('fe80:'))
    .map(({ address }) => address);
}

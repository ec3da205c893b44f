import { isIPv6 } from 'node:net';

/** What is counted as one client: an address; of IPv6 a /64, because a customer has at least that. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped?.[1] !== undefined) return mapped[1];
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const missing = 8 - left.length - (tail === undefined || tail === '' ? 0 : tail.split(':').length);
  const groups = tail === undefined ? left : [...left, ...Array.from({ length: missing }, () => '0')];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

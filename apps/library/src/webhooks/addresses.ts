import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { networkListOf } from '#libs/server';

/** What an owner may not have this machine talk to: everything that is not an address of the public internet (RFC 6890). */
const INSIDE_4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];
/** Of IPv6 only 2000::/3 is given to anybody; these parts of it lead elsewhere, or nowhere. */
const INSIDE_6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

const inside4 = networkListOf(INSIDE_4);
const inside6 = networkListOf(INSIDE_6);
const global6 = new BlockList();
global6.addSubnet('2000::', 3, 'ipv6');
const LOOPBACK = networkListOf(['127.0.0.0/8', '::1']);

/** An IPv4 address that is written as one of IPv6 is what it is. */
function plain(address: string): string {
  const bare = address.replace(/^\[|\]$/g, '').replace(/%.*$/, '');
  if (isIP(bare) !== 6) return bare;
  const mapped = /^::ffff:(?:(\d+\.\d+\.\d+\.\d+)|([0-9a-f]{1,4}):([0-9a-f]{1,4}))$/i.exec(bare);
  if (mapped === null) return bare;
  const [, dotted, high = '0', low = '0'] = mapped;
  if (dotted !== undefined) return dotted;
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [a >> 8, a & 255, b >> 8, b & 255].join('.');
}

/** Which addresses webhooks reach: those of the internet, and what the operator names (SCS_WEBHOOK_NETWORKS). */
export class Reachable {
  readonly #allowed: (address: string) => boolean;

  /** @param networks addresses and networks inside that are reached, too */
  constructor(networks: readonly string[]) {
    this.#allowed = networks.length === 0 ? () => false : networkListOf(networks);
  }

  /** Whether an address is reached. */
  allows(address: string): boolean {
    const one = plain(address);
    const version = isIP(one);
    if (version === 0) return false;
    if (this.#allowed(one)) return true;
    return version === 4 ? !inside4(one) : global6.check(one, 'ipv6') && !inside6(one);
  }

  /** Whether plain HTTP is spoken with a host: with an address of this machine that the operator has named. */
  allowsPlain(host: string): boolean {
    const one = plain(host);
    return isIP(one) !== 0 && LOOPBACK(one) && this.#allowed(one);
  }

  /** The address of a host that is connected to: what a name leads to is looked up once, and only what is allowed is taken. */
  async addressOf(host: string): Promise<string | undefined> {
    const bare = host.replace(/^\[|\]$/g, '');
    if (isIP(bare) !== 0) return this.allows(bare) ? bare : undefined;
    const found = await lookup(bare, { all: true }).catch(() => []);
    return found.find(({ address }) => this.allows(address))?.address;
  }
}

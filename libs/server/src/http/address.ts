import { BlockList, isIP, isIPv6 } from 'node:net';
import type { FastifyInstance } from 'fastify';

/** More proxies in a row than this nobody has; a client can write what it likes in front of what they add. */
const MOST_PROXIES = 16;

/**
 * Whose request it is: the address of the connection, and behind proxies that were named (SCS_TRUSTED_PROXIES) the last
 * address of X-Forwarded-For that is none of theirs. Only the address is taken from a header, nothing else ever: neither host,
 * scheme nor user. Who says where a request comes from can at most be somebody else in the log and in the counting of wrong
 * passwords. No right hangs on an address, unless the operator says so (SCS_KEYSTORE_NETWORKS).
 */
export function takeAddresses(fastify: FastifyInstance, trustedProxies: readonly string[]): void {
  if (trustedProxies.length === 0) return;
  const trusted = blockListOf(trustedProxies);
  fastify.addHook('onRequest', (request, _reply, done) => {
    const { socket, headers } = request.raw;
    const address = clientAddress(socket.remoteAddress ?? '', headers['x-forwarded-for'], trusted);
    // `request.ip` everywhere: in the log, for the limits of sign-in, in the audit log.
    Object.defineProperty(request, 'ip', { value: address, enumerable: true });
    done();
  });
}

/** @param forwarded X-Forwarded-For as it arrived: each proxy adds whom it heard at the end */
export function clientAddress(
  connection: string,
  forwarded: string | readonly string[] | undefined,
  trusted: BlockList,
): string {
  let address = connection;
  const said = [forwarded ?? []].flat().join(',').split(',').slice(-MOST_PROXIES);
  for (const word of said.toReversed()) {
    if (!contains(trusted, address)) break;
    const next = literal(word);
    // What is no address was written by nobody who is trusted: the proxy before it is as far as we know.
    if (next === undefined) break;
    address = next;
  }
  return address;
}

/** Whether an address belongs to one of some networks (`10.0.0.0/8`). */
export function networkListOf(networks: readonly string[]): (address: string) => boolean {
  const list = blockListOf(networks);
  return (address) => contains(list, address);
}

export function blockListOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return list;
}

/** IPv4 addresses arrive as `::ffff:192.0.2.1` where the server listens on `::`; Node's list knows both forms. */
function contains(list: BlockList, address: string): boolean {
  const version = isIP(address);
  return version !== 0 && list.check(address, version === 6 ? 'ipv6' : 'ipv4');
}

/** `192.0.2.1`, `2001:db8::1`, and with a port as some proxies write it: `192.0.2.1:443`, `[2001:db8::1]:443`. */
function literal(word: string): string | undefined {
  const text = word.trim();
  const [, bracketed, plain] =
    /^(?:\[([^\]]+)\](?::\d{1,5})?|(\d+\.\d+\.\d+\.\d+):\d{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain ?? text;
  // A zone (`fe80::1%eth0`) is a name of the proxy's own.
  return isIP(address) === 0 || address.includes('%') ? undefined : address;
}

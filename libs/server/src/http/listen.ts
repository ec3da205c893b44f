import type { Server } from 'node:http';
import type { INestApplication } from '@nestjs/common';
import type { ScsConfig } from '#libs/config';
import { DomainError, systemCode } from '#libs/core';

/** Opens the port. @throws DomainError when it is taken, forbidden or the address is not ours */
export async function listen(app: INestApplication, config: ScsConfig): Promise<void> {
  // Fastify would open one server for each address of the name; the certificate is replaced on one only.
  const host = config.host === 'localhost' ? '127.0.0.1' : config.host;
  await app.listen(config.port, host).catch((error: unknown) => {
    throw cannotListen(error, 'SCS_PORT', config.port, host);
  });
}

/** Opens the port of the redirect, on the same address. @throws DomainError as {@link listen} */
export function listenRedirect(redirect: Server, { httpPort = 0, host }: ScsConfig): Promise<void> {
  return listenOn(redirect, { port: httpPort, host }, ['SCS_HTTP_PORT', 'SCS_HOST']);
}

/** Opens the port for Prometheus. @throws DomainError as {@link listen} */
export function listenMetrics(shown: Server, { metrics }: ScsConfig): Promise<void> {
  if (metrics === undefined) throw new Error('There is no port for metrics');
  const host = metrics.host === 'localhost' ? '127.0.0.1' : metrics.host;
  return listenOn(shown, { ...metrics, host }, ['SCS_METRICS_PORT', 'SCS_METRICS_HOST']);
}

/** @param settings which port and address are named by */
function listenOn(
  server: Server,
  { port, host }: { readonly port: number; readonly host: string },
  [portSetting, hostSetting]: readonly [string, string],
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(cannotListen(error, portSetting, port, host, hostSetting)));
    server.listen(port, host, resolve);
  });
}

function cannotListen(
  error: unknown,
  setting: string,
  port: number,
  host: string,
  hostSetting = 'SCS_HOST',
): unknown {
  switch (systemCode(error) ?? '') {
    case 'EADDRINUSE':
      return new DomainError('unprocessable', `Port ${port} of ${host} is taken by another program`, {
        reason: 'port_taken',
        remedy: `Choose a free port with ${setting}.`,
        cause: error,
      });
    case 'EACCES':
      return new DomainError('unprocessable', `Port ${port} may not be opened by this user`, {
        reason: 'port_forbidden',
        remedy: `Choose a port above 1023 with ${setting}.`,
        cause: error,
      });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new DomainError('unprocessable', `This machine has no address ${host}`, {
        reason: 'address_missing',
        remedy: `Choose an address of this machine with ${hostSetting}.`,
        cause: error,
      });
    default:
      return error;
  }
}

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LIMITS } from '../limits.js';
import { limitConnections, mostConnections } from './connections.js';

describe('the number of connections', () => {
  let server: Server;
  let clients: Socket[];
  let said: string[];
  beforeEach(async () => {
    clients = [];
    said = [];
    server = createServer((socket) => socket.write('welcome'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => {
    vi.useRealTimers();
    for (const client of clients) client.destroy();
    server.close();
  });
  const come = async (): Promise<string> => {
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    clients.push(client);
    client.on('error', () => undefined);
    return Promise.race([once(client, 'data').then(String), once(client, 'close').then(() => 'hung up')]);
  };

  it('is bounded: who is one too many is hung up on, and whoever comes when another has gone is not', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    limitConnections(server, { warn: (line: unknown) => void said.push(String(line)) }, 2);
    expect([await come(), await come()]).toEqual(['welcome', 'welcome']);
    expect([await come(), await come()]).toEqual(['hung up', 'hung up']);
    expect(said).toEqual([]);
    vi.advanceTimersByTime(LIMITS.dropsSaid);
    expect(said).toEqual(['Hung up on 2 clients: 2 connections are open, and that is the most']);
    clients[0]?.destroy();
    await expect.poll(come).toBe('welcome');
  });

  it('leaves descriptors for files', () => {
    expect(mostConnections(undefined)).toBe(LIMITS.connections);
    expect(mostConnections(1_048_576)).toBe(LIMITS.connections);
    expect(mostConnections(1024)).toBe((1024 - LIMITS.otherFiles) / 2);
    expect(mostConnections(10)).toBe(1);
  });
});

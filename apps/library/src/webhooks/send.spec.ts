import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { Reachable } from './addresses.js';
import { Sender } from './send.js';

it('ends with a receiver that switches to another protocol', async () => {
  const server = createServer((connection) => {
    connection.on('error', () => undefined);
    connection.once('data', () =>
      connection.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n'),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const sender = new Sender(new Reachable(['127.0.0.1']), undefined);
  const url = `http://127.0.0.1:${port}/hook`;
  const { signal } = new AbortController();
  expect(await sender.send({ url, body: '{}', headers: {}, timeout: 60_000, signal })).toEqual({
    status: null,
    error: 'connection_failed',
  });
  server.close();
});

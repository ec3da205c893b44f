import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startApp, type StartedApp } from '../../support/app.js';

const MIB = 1024 * 1024;
let app: StartedApp;
beforeEach(async () => {
  app = await startApp({ modules: [], env: { SCS_SERVICES: 'auth' } });
});
afterEach(() => app.stop());

it('the system takes little for a client that takes nothing', async () => {
  const { promise: left, resolve } = Promise.withResolvers<number>();
  // Before TLS has the socket: how much of the bytes the system did not take is known at once.
  app.server.http.prependListener('connection', (socket: Socket) => {
    socket.on('error', () => undefined);
    socket.write(Buffer.alloc(8 * MIB));
    const handle = Reflect.get(socket, '_handle') as { readonly writeQueueSize: number };
    resolve(handle.writeQueueSize);
  });
  const client = connect(app.config.port, '127.0.0.1').pause();
  await once(client, 'connect');
  const waiting = await left;
  client.destroy();
  // Without a bound it takes 2 MiB and more.
  expect(waiting).toBeGreaterThan(7 * MIB);
});

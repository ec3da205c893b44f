import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:tls';
import { Injectable, Module, type OnApplicationShutdown, type OnModuleDestroy } from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { UpgradeRouter } from '#libs/server';
import { startApp } from '../../support/app.js';
import { EXAMPLE_ROUTES, ExampleController, ExampleModule } from './example.js';

const env = { SCS_SERVICES: 'auth' };

describe('a server that is asked to stop', () => {
  it('lets the request that is under way end, and takes no new one', async () => {
    const app = await startApp({ modules: [ExampleModule], alsoOpen: EXAMPLE_ROUTES, env });
    const controller = app.get(ExampleController);
    const slow = app.request('/example/fail/slow');
    await controller.arrived.promise;
    const closed = app.server.close();
    const late = await app.request('/version').then(
      ({ status }) => status,
      () => 'no connection',
    );
    expect([503, 'no connection']).toContain(late);
    controller.goOn.resolve();
    expect((await slow).body).toEqual({ data: 'late' });
    await closed;
    await app.dispatcher.destroy();
  });

  it('tells websockets that it goes away, and does not wait for them', async () => {
    const app = await startApp({ modules: [], env });
    app.get(UpgradeRouter).route('/v1/wait', async ({ accept }) => {
      await accept();
    });
    const socket = new WebSocket(`wss://localhost:${app.config.port}/v1/wait`, { ca: app.ca });
    await once(socket, 'open');
    const [[code]] = (await Promise.all([once(socket, 'close'), app.stop()])) as [[number], void];
    expect(code).toBe(1001);
  });

  it('ends work before it stops to serve, and closes databases after', async () => {
    const order: string[] = [];
    @Injectable()
    class Part implements OnModuleDestroy, OnApplicationShutdown {
      onModuleDestroy(): void {
        order.push('work ends');
      }

      onApplicationShutdown(): void {
        order.push('database closes');
      }
    }
    @Module({ providers: [Part] })
    class PartModule {}
    const app = await startApp({ modules: [PartModule], env });
    app.server.http.once('close', () => order.push('server closed'));
    await app.stop();
    expect(order).toEqual(['work ends', 'server closed', 'database closes']);
  });

  it.each([
    [
      'a websocket',
      'GET /v1/nothing HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    ],
    ['no HTTP', 'HELLO\r\n\r\n'],
  ])('does not wait for a client that was refused %s and does not hang up', async (_, text) => {
    const app = await startApp({ modules: [], env });
    const { port } = app.config;
    const options = { host: '127.0.0.1', port, ca: app.ca, servername: 'localhost', allowHalfOpen: true };
    const arrived = once(app.server.http, 'connection') as Promise<[Socket]>;
    const client = connect(options, () => client.write(text));
    client.on('error', () => undefined);
    const [connection] = await arrived;
    const gone = once(connection, 'close');
    expect(String((await once(client, 'data'))[0])).toMatch(/^HTTP\/1\.1 40[04] /);
    await gone;
    await app.stop();
    client.destroy();
  });
});

import { once } from 'node:events';
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
});

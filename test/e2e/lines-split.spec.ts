import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeCertificate } from '../support/certificates.js';
import { startRedis } from '../support/redis.js';
import { freePort } from '../support/ports.js';
import { person, startUp, type UpInstance } from '../support/up.js';
import { tenLines } from './ten-lines.suite.js';

const DAY = 24 * 60 * 60 * 1000;

tenLines('with the services in processes of their own, each with its own port and database', async () => {
  const me = await person();
  const redis = await startRedis();
  const { cert, key } = await makeCertificate(new Date(Date.now() - DAY), new Date(Date.now() + DAY));
  writeFileSync(me.path('cert.pem'), cert);
  writeFileSync(me.path('key.pem'), key, { mode: 0o600 });
  const site = {
    SCS_TLS_CERT_FILE: me.path('cert.pem'),
    SCS_TLS_KEY_FILE: me.path('key.pem'),
    SCS_TLS_CA_FILE: me.path('cert.pem'),
    SCS_REDIS_URL: redis.url,
  };
  const running: UpInstance[] = [];
  const start = async (name: string, env: Record<string, string>): Promise<UpInstance> => {
    const instance = await startUp(me, { ...site, ...env }, name);
    running.push(instance);
    return instance;
  };
  // The front end tells clients where the others are, so their ports are chosen before it starts.
  const [front, library, builder, worker] = (await Promise.all([0, 1, 2, 3].map(() => freePort()))).map(
    String,
  );
  const url = (port = ''): string => `https://localhost:${port}`;
  const where = {
    SCS_AUTH_URL: url(front),
    SCS_KEYSTORE_URL: url(front),
    SCS_LIBRARY_URL: url(library),
    SCS_BUILDER_URL: url(builder),
  };
  const first = await start('front', { ...where, SCS_PORT: front ?? '', SCS_SERVICES: 'auth,keystore,web' });
  await start('library', { ...where, SCS_PORT: library ?? '', SCS_SERVICES: 'library' });
  const building = await start('builder', { ...where, SCS_PORT: builder ?? '', SCS_SERVICES: 'builder' });
  const working = await start('worker', { ...where, SCS_PORT: worker ?? '', SCS_SERVICES: 'worker' });
  // As the operator of several machines does: public keys of services go to those that check their proofs.
  const carry = (file: string, from: UpInstance, to: UpInstance): void => {
    mkdirSync(join(to.home, 'service-keys'), { recursive: true });
    copyFileSync(join(from.home, 'service-keys', file), join(to.home, 'service-keys', file));
  };
  carry('builder.json', building, first);
  carry('worker.json', working, first);
  carry('worker.json', working, building);
  return {
    person: me.with({ SCS_HOME: first.home }),
    homes: running.map(({ home }) => home),
    stop: async () => {
      for (const instance of running.toReversed()) await instance.down();
      await redis.stop();
      await me.remove();
    },
  };
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './process.mjs';
import { requireNoErrors } from './server.mjs';
import { serverProcess } from './server-process.mjs';

/** What each service answers to whoever has a good token, and what it would change then. */
const ROUTES = {
  auth: { read: '/v1/auth/tokens', change: '/v1/auth/tokens' },
  library: { read: '/v1/entities', change: '/v1/entities' },
  // Keys are public: to read them no token is looked at.
  keystore: { read: '/v1/rbac/users/current', change: '/pks/add' },
  builder: { read: '/v1/build', change: '/v1/build' },
};

/**
 * Every service that checks tokens, each in a process, a state folder and on a port of its own: nothing is between them but
 * the feed of revocations, over HTTPS.
 */
export async function separateServices(folder) {
  const names = Object.keys(ROUTES);
  const ports = await Promise.all(names.map(() => freePort()));
  const urlOf = Object.fromEntries(names.map((name, index) => [name, `https://localhost:${ports[index]}`]));
  const homeOf = (name) => join(folder, name);
  const trusting = { SCS_TLS_CA_FILE: join(homeOf('auth'), 'tls/ca.pem') };
  const services = names.map((name, index) => ({
    name,
    read: urlOf[name] + ROUTES[name].read,
    change: urlOf[name] + ROUTES[name].change,
    process: serverProcess({
      app: name,
      env: {
        SCS_HOME: homeOf(name),
        SCS_PORT: String(ports[index]),
        ...(name === 'auth' ? {} : trusting),
        ...Object.fromEntries(
          names
            .filter((other) => other !== name)
            .map((other) => [`SCS_${other.toUpperCase()}_URL`, urlOf[other]]),
        ),
      },
    }),
  }));
  const read = (name, path) => readFileSync(join(homeOf(name), path), 'utf8');
  return {
    services,
    auth: urlOf.auth,
    get ca() {
      return names.map((name) => read(name, 'tls/ca.pem')).join('');
    },
    get token() {
      return read('auth', 'admin.token').trim();
    },
    /** Auth first: its authority is made then, and the others trust it. */
    async start() {
      const [auth, ...others] = services;
      await auth.process.start();
      await Promise.all(others.map(({ process }) => process.start()));
    },
    /** @throws Error unless the same processes still run, without errors */
    requireClean() {
      for (const { name, process } of services) {
        process.requireRunning();
        requireNoErrors(read(name, `log/${name}.log`));
      }
    },
    stop: () => Promise.all(services.map(({ process }) => process.stop())),
    kill: () => Promise.all(services.map(({ process }) => process.kill())),
  };
}

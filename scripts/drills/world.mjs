import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '#libs/core';
import { ServiceKey } from '#libs/server';
import { freePort } from '../soak/process.mjs';
import { untilNothing } from '../soak/until.mjs';
import { asker, good } from './ask.mjs';
import { startQueue } from './redis.mjs';
import { makeSite } from './site.mjs';

/** The checkout whose programs run, unless a drill is told another one. */
export const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));

const ADDRESSED = ['auth', 'keystore', 'library', 'builder'];
const PASSWORD = 'correct horse battery';

/**
 * An instance of its own for a drill: processes as the guide has them, each with a state folder, a port and a certificate of its own.
 */
export class World {
  #processes = new Map();
  #names = 0;

  /**
   * Prepares everything and starts nothing but the queue.
   * @param processes services of each process, by its name: `{ auth: 'auth', rest: 'library,builder' }`
   * @param env more settings, by the name of the process
   * @param queue whether there is a Redis
   * @throws Error when there is nothing to run
   */
  static async prepare({ folder, checkout }, { processes, env = {}, queue = false }) {
    const world = new World();
    world.folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    world.site = await makeSite(folder);
    world.ask = asker(world.site.ca);
    world.queue = queue ? await startQueue(join(folder, 'redis')) : undefined;
    for (const [name, services] of Object.entries(processes)) {
      const list = services.split(',');
      const port = await freePort();
      const certificate = await world.site.issue(name);
      const home = join(folder, name);
      world.#processes.set(name, new Process({ name, services: list, port, home, certificate, checkout }));
    }
    for (const process of world.#processes.values())
      process.env = { ...world.#envOf(process), ...env[process.name] };
    return world;
  }

  /** A process by its name, running or not. */
  process(name) {
    return this.#processes.get(name);
  }

  get processes() {
    return [...this.#processes.values()];
  }

  /** The process in which a service runs. */
  of(service) {
    return this.processes.find(({ services }) => services.includes(service));
  }

  /** Starts processes, all of them without a name, and waits until everything works that they promise. */
  async start(...names) {
    const chosen = names.length === 0 ? [...this.#processes.keys()] : names;
    await this.introduce();
    await Promise.all(chosen.map((name) => this.process(name).start()));
  }

  /** Carries the public keys of services to where they are looked for (guide, "Several processes"). */
  async introduce() {
    for (const [service, to] of [
      ['builder', 'auth'],
      ['worker', 'builder'],
    ]) {
      const [from, at] = [this.of(service), this.of(to)];
      if (from === undefined || at === undefined || from === at) continue;
      await this.keyOf(service);
      mkdirSync(join(at.home, 'service-keys'), { recursive: true, mode: 0o700 });
      copyFileSync(
        join(from.home, `service-keys/${service}.json`),
        join(at.home, `service-keys/${service}.json`),
      );
    }
  }

  /** The key by which a service proves which one it is; made as at its first start. */
  async keyOf(service) {
    const { home } = this.of(service);
    mkdirSync(home, { recursive: true, mode: 0o700 });
    const dataFolder = join(home, 'data', service);
    mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
    return ServiceKey.open({ service, dataFolder, home, clock: systemClock });
  }

  /** The administrator's token, as its file says now. */
  get admin() {
    return readFileSync(join(this.of('auth').home, 'admin.token'), 'utf8').trim();
  }

  /** The name of the instance. */
  async issuer() {
    return (await good(this.at('auth', '/.well-known/jwks.json'))).issuer;
  }

  /** The key that signs tokens, as whoever has stolen it has it. */
  signingKey() {
    const file = join(this.of('auth').home, 'data/auth/signing-keys/0001.json');
    return JSON.parse(readFileSync(file, 'utf8'));
  }

  /** A request to a service. */
  at(service, path, options) {
    return this.ask(new URL(path, this.of(service).url), options);
  }

  /** A new account that may do what people may, with a token. */
  async user(
    name = `user${(this.#names += 1)}`,
    scopes = ['library:read', 'library:write', 'keystore:write', 'build'],
  ) {
    await good(
      this.at('auth', '/v1/auth/users', { token: this.admin, json: { username: name, password: PASSWORD } }),
    );
    return { ...(await this.token(name, scopes)), name };
  }

  /** A token that somebody makes with the password: its id and itself. */
  async token(name, scopes) {
    const headers = { authorization: `Basic ${Buffer.from(`${name}:${PASSWORD}`).toString('base64')}` };
    return good(this.at('auth', '/v1/auth/tokens', { headers, json: { name: 'drill', scopes } }));
  }

  /** Ends a token, as the administrator. */
  revoke(id) {
    return good(this.at('auth', `/v1/auth/tokens/${id}`, { method: 'DELETE', token: this.admin }));
  }

  /**
   * Entries of the trails of all services, newest first.
   * @param count so many have to come: an entry is in its chain within a second
   */
  async trail(query, count) {
    const services = this.processes.filter((one) => one.services.some((name) => ADDRESSED.includes(name)));
    let entries = [];
    await untilNothing(`fewer than ${count} entries of the trail for ${query}`, async () => {
      const pages = services.map(({ url }) =>
        good(this.ask(`${url}/v1/audit?${query}&limit=500`, { token: this.admin })),
      );
      entries = (await Promise.all(pages)).flat();
      return entries.length < count ? [entries.length] : [];
    });
    return entries;
  }

  /** Stops everything. */
  async stop() {
    this.ask.close();
    await Promise.all(this.processes.map((process) => process.stop()));
    await this.queue?.stop();
  }

  #envOf({ name, services, certificate }) {
    const elsewhere = ADDRESSED.filter((service) => !services.includes(service));
    return {
      SCS_TLS_CERT_FILE: certificate.certFile,
      SCS_TLS_KEY_FILE: certificate.keyFile,
      SCS_TLS_CA_FILE: this.site.caFile,
      // What a drill does not need is nowhere.
      ...Object.fromEntries(
        elsewhere.map((service) => [
          `SCS_${service.toUpperCase()}_URL`,
          this.of(service)?.url ?? 'https://localhost:1',
        ]),
      ),
      ...(this.queue !== undefined && (services.includes('builder') || services.includes('worker'))
        ? { SCS_REDIS_URL: this.queue.urlOf(name === 'worker' ? 'worker' : 'builder') }
        : {}),
    };
  }
}

/** One process of services. */
class Process {
  env = {};
  #child;
  #said = '';

  constructor({ name, services, port, home, certificate, checkout }) {
    Object.assign(this, { name, services, port, home, certificate, checkout });
    this.url = `https://localhost:${port}`;
  }

  get pid() {
    return this.#child.pid;
  }

  /** @throws Error with what the process said */
  async start() {
    const main = join(this.checkout, 'dist/apps/all-in-one/src/main.js');
    if (!existsSync(main)) throw new Error('Build first: npm run build');
    const child = spawn(process.execPath, [main], {
      env: {
        PATH: process.env.PATH,
        SCS_HOME: this.home,
        SCS_PORT: String(this.port),
        SCS_SERVICES: this.services.join(','),
        ...this.env,
      },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child = child;
    child.stderr.on('data', (text) => (this.#said += text));
    const [message] = await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(() => [{ type: 'failed', message: this.#said }]),
    ]);
    if (message.type !== 'ready' || message.failing.length > 0)
      throw new Error(`${this.name} did not start: ${message.message ?? message.failing.join(', ')}`);
  }

  async stop() {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    await gone;
  }
}

/** A name that nobody guesses. */
export const newId = () => randomBytes(12).toString('hex');

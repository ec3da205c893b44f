import { readFileSync, writeFileSync } from 'node:fs';
import { Agent } from 'undici';
import type { ServiceName } from '#libs/contract';
import type { Recorded } from './recorder.js';
import { SplitServices } from './split-services.js';
import { CHECKOUT, person, type Person } from './up.js';

const PASSWORD = 'correct horse battery';
const SCOPES = ['library:read', 'library:write', 'library:delete', 'keystore:write', 'build'];

/** An image that is larger than what is sent in one piece (64 MiB), on a base that somebody must have signed. */
const largeOn = (fingerprint: string): string =>
  [
    'bootstrap: library',
    'from: ann/signed/hello:1',
    `fingerprints: ${fingerprint}`,
    '%post',
    'dd if=/dev/urandom of=/large bs=1048576 count=66',
  ].join('\n');

/**
 * Ann uses all services: keys, builds, a push and a pull, and somebody who has none of her keys verifies her image. All that is
 * hers is private. Bob may do all that she may, with what is his own.
 */
export class TrustScene {
  /** All of it, in order. */
  recorded: readonly Recorded[] = [];
  /** The tokens that ann and bob got by their passwords. */
  ann = { id: '', token: '' };
  bob = { id: '', token: '' };
  readonly #people: Person[] = [];
  readonly #dispatcher: Agent;

  private constructor(readonly services: SplitServices) {
    this.#dispatcher = new Agent({ connect: { ca: readFileSync(services.caFile, 'utf8') } });
  }

  static async play(): Promise<TrustScene> {
    const scene = new TrustScene(await SplitServices.start());
    try {
      await scene.#prepare();
      await scene.#work();
      return scene;
    } catch (error) {
      await scene.stop();
      throw error;
    }
  }

  /** Asks a service as a program of somebody. @throws Error unless it answers 200 */
  async ask<T>(
    service: ServiceName,
    path: string,
    { as, json }: { readonly as: string; readonly json?: object },
  ): Promise<T> {
    const answer = await this.#dispatcher.request({
      origin: this.services.recorder.url(service),
      path,
      method: json === undefined ? 'GET' : 'POST',
      headers: { authorization: as, 'content-type': 'application/json' },
      body: json === undefined ? null : JSON.stringify(json),
    });
    const body = (await answer.body.json()) as { data: T };
    if (answer.statusCode === 200) return body.data;
    throw new Error(`${service} answered ${answer.statusCode} for ${path}: ${JSON.stringify(body)}`);
  }

  async stop(): Promise<void> {
    await this.#dispatcher.destroy();
    await this.services.stop();
    for (const one of this.#people) await one.remove();
  }

  async #prepare(): Promise<void> {
    const admin = `Bearer ${this.services.admin}`;
    for (const name of ['ann', 'bob'] as const) {
      await this.ask('auth', '/v1/auth/users', { as: admin, json: { username: name, password: PASSWORD } });
      const as = `Basic ${Buffer.from(`${name}:${PASSWORD}`).toString('base64')}`;
      this[name] = await this.ask('auth', '/v1/auth/tokens', {
        as,
        json: { name: 'laptop', scopes: SCOPES },
      });
    }
    const json = { name: 'ann', defaultPrivate: true };
    await this.ask('library', '/v1/entities', { as: `Bearer ${this.ann.token}`, json });
  }

  async #work(): Promise<void> {
    const { recorder } = this.services;
    const before = recorder.recorded.length;
    const laptop = await this.#machine();
    const fingerprint = (
      await laptop.singOk('key', 'newpair', '--name', 'Ann', '--email', 'ann@example.org', '--password', '')
    ).stdout.trim();
    await laptop.singOk('key', 'push', fingerprint);
    const hello = 'library://ann/demo/hello:1';
    await laptop.singOk('build', '--remote', hello, `${CHECKOUT}/examples/hello.def`);
    await laptop.singOk('pull', 'hello.sif', hello);
    await laptop.singOk('sign', 'hello.sif');
    await laptop.singOk('push', 'hello.sif', 'library://ann/signed/hello:1');
    writeFileSync(laptop.path('large.def'), largeOn(fingerprint));
    await laptop.singOk('build', '--remote', 'library://ann/other/large:1', laptop.path('large.def'));
    const other = await this.#machine();
    await other.singOk('pull', 'hello.sif', 'library://ann/signed/hello:1');
    await other.singOk('verify', 'hello.sif');
    // Uses of tokens are told a moment after they were used.
    const told = (service: string): boolean =>
      recorder.recorded.some(({ from, target }) => from === service && target === '/v1/auth/uses');
    while (!['keystore', 'library', 'builder'].every(told)) await recorder.next();
    // What prepared the scene was asked by the test, not by a program.
    this.recorded = recorder.recorded.filter(({ from }, at) => from !== 'people' || at >= before);
  }

  /** A computer of ann, with this instance as its remote. */
  async #machine(): Promise<Person> {
    const base = await person();
    this.#people.push(base);
    const me = base.with({ SCS_HOME: base.path('no-instance') });
    writeFileSync(me.path('token'), this.ann.token);
    const words = ['remote', 'add', '--ca', this.services.caFile, '--tokenfile', me.path('token')];
    await me.singOk(...words, 'site', this.services.recorder.url('web'));
    return me;
  }
}

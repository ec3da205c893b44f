import { randomBytes } from 'node:crypto';
import { newObjectId } from '#libs/core';
import { base64, SCRATCH } from '../../support/builder.js';
import { hashOf } from '../library/world.js';
import type { About } from './matrix.js';
import { BYSTANDER, World } from './world.js';

/** The try that every build is in. */
export const TRY = 'a'.repeat(24);

/** A builder with builds of everybody, whose worker the tests play. */
export class BuilderThings {
  readonly #builds = new Map<string, string>();

  private constructor(
    readonly world: World,
    private readonly context: Buffer,
  ) {}

  static async prepare(): Promise<BuilderThings> {
    return new BuilderThings(await World.start({ withQueue: true }), randomBytes(32));
  }

  /** The build that a request is about: one that runs. */
  async build(about: About<BuilderThings>): Promise<string> {
    if (about.missing) return newObjectId();
    return this.#running(about.object === 'own' ? (about.caller.account ?? BYSTANDER) : BYSTANDER);
  }

  /** The build that an exchanged token is for: always the caller's own. */
  async job({ caller }: About<BuilderThings>): Promise<string | undefined> {
    return caller.exchanged === undefined ? undefined : this.#running(caller.account ?? BYSTANDER);
  }

  /** A build context that was announced, of the caller or of somebody else, and the address for its bytes. */
  async announced(about: About<BuilderThings>): Promise<{ digest: string; bytes: Buffer; address: string }> {
    const bytes = randomBytes(32);
    const digest = hashOf(bytes);
    const nowhere = `/v1/build-context/${digest}/_upload?holder=${newObjectId()}&size=32&expires=1&mac=x`;
    if (about.missing) return { digest, bytes, address: nowhere };
    const holder = about.object === 'own' ? (about.caller.account ?? BYSTANDER) : BYSTANDER;
    return { digest, bytes, address: (await this.#announce(holder, bytes)) ?? nowhere };
  }

  async #running(username: string): Promise<string> {
    const known = this.#builds.get(username);
    if (known !== undefined && !(await this.world.asAdmin('GET', `/v1/build/${known}`)).isComplete)
      return known;
    const address = await this.#announce(username, this.context);
    if (address !== undefined) await this.world.must({ method: 'PUT', path: address, body: this.context });
    const { id } = await this.world.must({
      path: '/v1/build',
      token: await this.world.token(username),
      json: { definitionRaw: base64(SCRATCH), contextDigest: hashOf(this.context) },
    });
    const json = { clientAssertion: await this.world.proofOf('worker', 'builder'), tryId: TRY };
    await this.world.must({ path: `/v1/build/${id}/_ticket`, json });
    this.#builds.set(username, id);
    return id;
  }

  /** @returns where to send the bytes; undefined when they are there */
  async #announce(username: string, bytes: Buffer): Promise<string | undefined> {
    const { headers } = await this.world.app.request('/v1/build-context', {
      token: await this.world.token(username),
      json: { size: bytes.length, digest: hashOf(bytes) },
    });
    return headers['location'] as string | undefined;
  }
}

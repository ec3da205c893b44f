import { ServiceKeys, type ServiceName, type SigningJwk } from '#libs/contract';
import { messageOf } from '#libs/core';
import { ACCESS_LIMITS } from './limits.js';
import { readSmallFile } from './secret-file.js';
import { serviceKeysFile } from './service-key.js';

/**
 * The public keys of the other services, from `$SCS_HOME/service-keys/<service>.json`. On one machine the services put them there;
 * with several, the operator carries the file over. What was read counts for a second: a key that was taken away ends then.
 */
export class ServiceKeysFolder {
  readonly #home: string;
  readonly #elapsed: () => number;
  readonly #warn: (message: string) => void;
  readonly #known = new Map<ServiceName, { keys: readonly SigningJwk[]; read: number }>();

  constructor(home: string, options: { elapsed: () => number; warn: (message: string) => void }) {
    this.#home = home;
    this.#elapsed = options.elapsed;
    this.#warn = options.warn;
  }

  /** The key `kid` of a service, or undefined when it has none of that id. */
  async find(service: ServiceName, kid: string): Promise<SigningJwk | undefined> {
    let known = this.#known.get(service);
    const now = this.#elapsed();
    if (known === undefined || now - known.read >= ACCESS_LIMITS.serviceKeyRefreshMs) {
      known = { keys: await this.#read(service), read: now };
      this.#known.set(service, known);
    }
    return known.keys.find((one) => one.kid === kid);
  }

  async #read(service: ServiceName): Promise<readonly SigningJwk[]> {
    const file = serviceKeysFile(this.#home, service);
    try {
      const text = await readSmallFile(file);
      return text === undefined ? [] : ServiceKeys.parse(JSON.parse(text)).keys;
    } catch (error) {
      this.#warn(`The keys of ${service} in ${file} cannot be used: ${messageOf(error)}`);
      return [];
    }
  }
}

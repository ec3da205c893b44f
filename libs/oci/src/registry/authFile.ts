import { z } from 'zod';
import { DomainError } from '#libs/core';
import type { Credentials } from './authorization.js';
import { isRegistryHost } from './reference.js';

const Entry = z.looseObject({
  auth: z
    .string()
    .max(64 * 1024)
    .optional(),
  username: z.string().optional(),
  password: z.string().optional(),
});
const Document = z.looseObject({
  auths: z.record(z.string(), Entry).optional(),
  credsStore: z.string().optional(),
  credHelpers: z.record(z.string(), z.string()).optional(),
});

/** The name under which everybody keeps what belongs to Docker Hub. */
const DOCKER_HUB = 'https://index.docker.io/v1/';

/**
 * A file with credentials for registries, in the form that `docker`, `singularity` and `apptainer` share: `{"auths":{"host":{"auth":
 * "<base64 of name:password>"}}}`. What else stands in it stays as it is.
 */
export class AuthFile {
  readonly #document: z.output<typeof Document>;

  private constructor(document: z.output<typeof Document>) {
    this.#document = document;
  }

  /** @throws DomainError `bad_auth_file` */
  static parse(text: string): AuthFile {
    let json: unknown;
    try {
      json = text.trim() === '' ? {} : JSON.parse(text);
    } catch {
      // What is wrong with it would show a part of it.
      throw badFile('it is no JSON');
    }
    const parsed = Document.safeParse(json);
    if (!parsed.success)
      throw badFile(`wrong at ${parsed.error.issues[0]?.path.join('.') ?? 'its beginning'}`);
    return new AuthFile(parsed.data);
  }

  /** Registries that it has credentials for. */
  get hosts(): readonly string[] {
    return [...new Set(Object.keys(this.#auths).map(hostOf).filter(isRegistryHost))].toSorted();
  }

  /** Whether somebody else keeps the credentials for this registry: a program that is not run. */
  hasHelper(host: string): boolean {
    const { credsStore, credHelpers } = this.#document;
    return credsStore !== undefined || credHelpers?.[host] !== undefined;
  }

  /** Credentials for a registry; undefined where there are none that can be read. */
  find(host: string): Credentials | undefined {
    const key = this.#keyOf(host);
    const entry = key === undefined ? undefined : this.#auths[key];
    if (entry === undefined) return undefined;
    if (entry.auth !== undefined && entry.auth !== '') {
      const text = Buffer.from(entry.auth, 'base64').toString('utf8');
      const colon = text.indexOf(':');
      // Some programs fill up with NUL.
      return colon < 1
        ? undefined
        : { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') };
    }
    const { username, password } = entry;
    return username === undefined || password === undefined || username === ''
      ? undefined
      : { username, password };
  }

  /** A copy with credentials for a registry. */
  with(host: string, { username, password }: Credentials): AuthFile {
    const auth = Buffer.from(`${username}:${password}`).toString('base64');
    const auths = { ...this.without(host).#auths, [keyFor(host)]: { auth } };
    return new AuthFile({ ...this.#document, auths });
  }

  /** A copy without those of a registry, whatever form its name has there. */
  without(host: string): AuthFile {
    const wanted = canonical(host);
    const auths = Object.fromEntries(
      Object.entries(this.#auths).filter(([key]) => canonical(hostOf(key)) !== wanted),
    );
    return new AuthFile({ ...this.#document, auths });
  }

  toText(): string {
    return `${JSON.stringify(this.#document, null, '\t')}\n`;
  }

  get #auths(): Readonly<Record<string, z.output<typeof Entry>>> {
    return this.#document.auths ?? {};
  }

  /** The exact name before others that mean the same. */
  #keyOf(host: string): string | undefined {
    const keys = Object.keys(this.#auths);
    const wanted = canonical(host);
    return keys.find((key) => key === host) ?? keys.find((key) => canonical(hostOf(key)) === wanted);
  }
}

/** `https://host/v1/` and `host` are the same; with another path it is a part of a registry, which is nothing for all of it. */
function hostOf(key: string): string {
  const bare = key.replace(/^https?:\/\//, '');
  const slash = bare.indexOf('/');
  if (slash < 0) return bare;
  return /^\/(v[12]\/?)?$/.test(bare.slice(slash)) ? bare.slice(0, slash) : key;
}

function canonical(host: string): string {
  const name = host.toLowerCase();
  return name === 'docker.io' || name === 'registry-1.docker.io' ? 'index.docker.io' : name;
}

function keyFor(host: string): string {
  return canonical(host) === 'index.docker.io' ? DOCKER_HUB : host;
}

function badFile(why: string): DomainError {
  return new DomainError('bad_request', `The file with credentials for registries cannot be read: ${why}`, {
    reason: 'bad_auth_file',
  });
}

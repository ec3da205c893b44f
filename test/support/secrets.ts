import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { SIGNED_TYPES } from '#libs/contract';
import type { AppRequest } from './app.js';

/** No password of an account is shorter (libs/contract); a shorter word comes up by chance. */
const SHORTEST = 10;
const TOKEN = /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/;
/** Files whose purpose is a secret, and those that hold what people upload. */
const LEFT_OUT = /(^|\/)(signing-keys|blobs|contexts|jobs)\/|\.key$|service-key\.json$|head-key\.json$/;

const SECRET_TYPES: readonly unknown[] = [SIGNED_TYPES.accessToken, SIGNED_TYPES.clientAssertion];

function typeOf(token: string): unknown {
  const [header = ''] = token.split('.');
  try {
    return (JSON.parse(Buffer.from(header, 'base64url').toString()) as { typ?: unknown }).typ;
  } catch {
    return undefined;
  }
}

/** A secret in every form in which it could be written down. */
interface Forms {
  /** For people: never the secret itself. */
  readonly name: string;
  readonly texts: readonly Buffer[];
}

/**
 * The tokens and passwords of a test run, and the search for them: in every log, audit trail and database of an instance.
 * None of them may be anywhere but in the files that are made to hold it.
 */
export class Secrets {
  readonly #forms = new Map<string, Forms>();

  add(name: string, secret: string): void {
    if (secret.length < SHORTEST || this.#forms.has(secret)) return;
    this.#forms.set(secret, { name, texts: formsOf(secret).map((text) => Buffer.from(text)) });
  }

  /** Takes the secrets of a request and of its answer: tokens, and what is called a password. */
  addFrom(request: AppRequest, answer: unknown): void {
    if (request.token !== undefined) this.#addToken(request.token);
    const [scheme = '', credentials = ''] = (request.headers?.['authorization'] ?? '').split(' ');
    if (scheme.toLowerCase() === 'bearer') this.#addToken(credentials);
    if (scheme.toLowerCase() === 'basic') {
      const [, password] = Buffer.from(credentials, 'base64').toString().split(/:(.*)/s);
      if (password !== undefined && TOKEN.test(password)) this.#addToken(password);
      else if (password !== undefined) this.add('a password', password);
    }
    if (typeof request.body === 'string' && !request.body.startsWith('{'))
      this.#search(Object.fromEntries(new URLSearchParams(request.body)));
    this.#search(request.json);
    this.#search(answer);
  }

  get size(): number {
    return this.#forms.size;
  }

  /** Where secrets, and tokens of any kind, lie in the logs and data of a state folder; empty when all is well. */
  async leaks(home: string): Promise<string[]> {
    const found: string[] = [];
    for (const folder of ['log', 'data'])
      for (const file of await filesIn(join(home, folder))) {
        if (LEFT_OUT.test(file)) continue;
        const bytes = await readFile(file);
        if (holdsToken(bytes)) found.push(`${relative(home, file)} holds some token`);
        for (const { name, texts } of this.#forms.values())
          if (texts.some((text) => bytes.includes(text))) found.push(`${relative(home, file)} holds ${name}`);
      }
    return found;
  }

  /** The same for text, such as the answer of a route or the output of a command. */
  leaksIn(text: string): string[] {
    const bytes = Buffer.from(text);
    return [...this.#forms.values()]
      .filter(({ texts }) => texts.some((one) => bytes.includes(one)))
      .map(({ name }) => name);
  }

  /** Feeds and heads are signed, too, and are for everybody. */
  #addToken(token: string): void {
    if (TOKEN.test(token) && SECRET_TYPES.includes(typeOf(token))) this.add('a token', token);
  }

  #search(value: unknown): void {
    if (typeof value !== 'object' || value === null) return;
    for (const [name, member] of Object.entries(value)) {
      if (typeof member !== 'string') this.#search(member);
      else if (name === 'password' || name === 'oldPassword' || name === 'newPassword')
        this.add('a password', member);
      else this.#addToken(member);
    }
  }
}

/** As it is, in an address, in a header of Basic, and of a token each part that is worth something without the others. */
function formsOf(secret: string): string[] {
  // The header is the same for all tokens, and the claims are no secret; whoever has the signature needs little more.
  const [, , signature] = TOKEN.test(secret) ? secret.split('.') : [];
  if (signature !== undefined) return [signature, ...base64Forms(signature)];
  return [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), ...base64Forms(secret)];
}

/** Whether there is a whole token, also one that the tests do not know: a service may have exchanged one for another. */
function holdsToken(bytes: Buffer): boolean {
  const found = bytes.toString('latin1').match(/eyJ[\w-]{20,}\.[\w-]{20,}\.[\w-]{40,}/g) ?? [];
  return found.some((token) => SECRET_TYPES.includes(typeOf(token)));
}

/** Base64 of a text that begins anywhere in a longer one: three of its bytes are four characters. */
function base64Forms(text: string): string[] {
  return [0, 1, 2]
    .map((offset) => {
      const whole = Buffer.from(`${'x'.repeat(offset)}${text}`).toString('base64');
      return whole.slice(offset === 0 ? 0 : 4, -4).replace(/=+$/, '');
    })
    .filter((form) => form.length >= SHORTEST);
}

async function filesIn(folder: string): Promise<string[]> {
  if (!existsSync(folder)) return [];
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

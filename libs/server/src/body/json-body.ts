import type { IncomingMessage } from 'node:http';
import type { PipeTransform } from '@nestjs/common';
import { DomainError } from '#libs/core';
import type { z } from 'zod';
import { LIMITS } from '../limits.js';
import { check } from './check.js';
import { readBytes } from './read-bytes.js';

/**
 * `@Body(new JsonBody(Schema, { limit }))`: reads the raw body, whatever its content type says, because stock clients send
 * JSON without one (library contract §1 rule 5), and checks it.
 * @throws DomainError `too_large` above `limit` bytes, `bad_request` for anything that is not JSON of the schema
 */
export class JsonBody<T extends z.ZodType> implements PipeTransform<IncomingMessage, Promise<z.output<T>>> {
  /** For the description of the route. */
  readonly schema: T;
  readonly #limit: number;

  constructor(schema: T, options: { readonly limit?: number } = {}) {
    this.schema = schema;
    this.#limit = options.limit ?? LIMITS.json;
  }

  async transform(body: IncomingMessage | undefined): Promise<z.output<T>> {
    return check(this.schema, parseJson(await readBytes(body, this.#limit)), 'the body');
  }
}

/**
 * `@Body(new FormBody(Schema))`: the same for `application/x-www-form-urlencoded`; a name that is given twice is refused.
 * @throws DomainError `too_large`, `bad_request`
 */
export class FormBody<T extends z.ZodType> implements PipeTransform<IncomingMessage, Promise<z.output<T>>> {
  /** For the description of the route. */
  readonly schema: T;
  readonly #limit: number;

  constructor(schema: T, options: { readonly limit?: number } = {}) {
    this.schema = schema;
    this.#limit = options.limit ?? LIMITS.json;
  }

  async transform(body: IncomingMessage | undefined): Promise<z.output<T>> {
    const fields = new URLSearchParams(text(await readBytes(body, this.#limit)));
    const names = [...fields.keys()];
    if (new Set(names).size !== names.length)
      throw new DomainError('bad_request', 'Expected every form field once');
    return check(this.schema, Object.fromEntries(fields), 'the form');
  }
}

/** `@Query(new Checked(Schema, 'the query'))`, `@Param(…)`: checks what the framework has already taken apart. */
export class Checked<T extends z.ZodType> implements PipeTransform<unknown, z.output<T>> {
  /** For the description of the route. */
  readonly schema: T;
  readonly #what: string;

  constructor(schema: T, what = 'the query') {
    this.schema = schema;
    this.#what = what;
  }

  transform(value: unknown): z.output<T> {
    return check(this.schema, value, this.#what);
  }
}

/** Bytes as JSON. @throws DomainError `bad_request` */
export function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) throw new DomainError('bad_request', 'Expected a JSON body, got none');
  try {
    return JSON.parse(text(bytes));
  } catch (error) {
    if (error instanceof DomainError) throw error;
    // Also a RangeError: nesting so deep that the parser gives up.
    throw new DomainError('bad_request', 'Expected a JSON body', { cause: error });
  }
}

function text(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new DomainError('bad_request', 'Expected a body in UTF-8', { cause: error });
  }
}

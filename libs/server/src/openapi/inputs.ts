import type { Type } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import type { z } from 'zod';
import { Checked, FormBody, JsonBody } from '../body/json-body.js';

/** What a route reads from a request, as its decorators and pipes say. */
export interface RouteInput {
  readonly from: 'body' | 'query' | 'path';
  /** Of a body that is checked. Undefined for a body that is read as bytes. */
  readonly media: 'application/json' | 'application/x-www-form-urlencoded' | undefined;
  /** The parameter's name; undefined for a whole body or query. */
  readonly name: string | undefined;
  /** Undefined where the handler looks at the value itself. */
  readonly schema: z.ZodType | undefined;
}

const SOURCES = new Map<number, RouteInput['from']>([
  [RouteParamtypes.BODY, 'body'],
  [RouteParamtypes.QUERY, 'query'],
  [RouteParamtypes.PARAM, 'path'],
]);

interface Argument {
  readonly index: number;
  readonly data?: unknown;
  readonly pipes?: readonly unknown[];
}

/** The inputs of one handler, in the order of its parameters. */
export function inputsOf(controller: Type, handler: string): RouteInput[] {
  const metadata = (Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, handler) ?? {}) as Record<
    string,
    Argument
  >;
  return Object.entries(metadata)
    .toSorted(([, one], [, other]) => one.index - other.index)
    .flatMap(([key, { data, pipes = [] }]) => {
      // The key is `<kind>:<index>`; decorators of our own have a name in front.
      const from = SOURCES.get(Number(key.split(':')[0]));
      if (from === undefined) return [];
      const pipe = pipes.find(
        (one) => one instanceof JsonBody || one instanceof FormBody || one instanceof Checked,
      );
      return [
        {
          from,
          name: typeof data === 'string' ? data : undefined,
          schema: pipe?.schema,
          media:
            pipe instanceof JsonBody
              ? 'application/json'
              : pipe instanceof FormBody
                ? 'application/x-www-form-urlencoded'
                : undefined,
        },
      ];
    });
}

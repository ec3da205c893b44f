import { z } from 'zod';
import type { RouteAccess } from '../auth/routes.js';
import type { RouteInput } from './inputs.js';
import type { DescribedName } from './service-name.js';

/** An OpenAPI 3.1 document, as far as this file makes one. */
export interface OpenApi {
  readonly openapi: '3.1.0';
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: object;
}

interface Operation {
  readonly operationId: string;
  readonly security: readonly object[];
  /** Scopes that the token must carry, each at some place: `policy.ts` of the service decides where. */
  readonly 'x-scopes'?: readonly string[];
  readonly parameters?: readonly object[];
  readonly requestBody?: object;
  readonly responses: object;
}

/** Every method that a route for all of them has to be shown with; nothing of ours uses one. */
const METHODS: Readonly<Record<string, string>> = {
  GET: 'get',
  POST: 'post',
  PUT: 'put',
  PATCH: 'patch',
  DELETE: 'delete',
  HEAD: 'head',
  OPTIONS: 'options',
};

/**
 * Describes the routes of one service from what its decorators and pipes say, so that it cannot say anything else than what
 * is done. Answers are described in words only: the contracts have them.
 */
export function describeService(
  service: DescribedName,
  version: string,
  routes: readonly RouteAccess[],
): OpenApi {
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) {
    const method = METHODS[route.method];
    if (method === undefined)
      throw new Error(`${route.handler} takes ${route.method}, which has no description`);
    (paths[templateOf(route.path)] ??= {})[method] = operationOf(route);
  }
  return {
    openapi: '3.1.0',
    info: { title: `SCS ${service}`, version },
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      schemas: { Error: ERROR },
    },
  };
}

/** `/v1/tags/:container` → `/v1/tags/{container}`; what a star stands for is called `path` and may hold slashes. */
export function templateOf(path: string): string {
  return path.replaceAll(/:(\w+)/g, '{$1}').replace('*', '{path}');
}

function operationOf({ handler, access, inputs, status }: RouteAccess): Operation {
  const token = { token: [] };
  const parameters = inputs.flatMap(parametersOf);
  const body = inputs.find(({ from }) => from === 'body');
  return {
    operationId: handler,
    security: access.kind === 'token' ? [token] : access.kind === 'anonymous' ? [{}, token] : [{}],
    ...(access.scopes.length === 0 ? {} : { 'x-scopes': access.scopes }),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: bodyOf(body) }),
    responses: {
      [String(status)]: { description: 'Done' },
      default: {
        description: 'Refused, or failed',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
}

function parametersOf({ from, name, schema }: RouteInput): object[] {
  if (from === 'path')
    return [
      {
        name: name === undefined || name === '*' ? 'path' : name,
        in: 'path',
        required: true,
        schema: schema === undefined ? { type: 'string' } : jsonSchema(schema),
      },
    ];
  if (from !== 'query') return [];
  if (name !== undefined) return [{ name, in: 'query', schema: { type: 'string' } }];
  const whole = schema === undefined ? {} : jsonSchema(schema);
  const { properties = {}, required = [] } = whole as {
    properties?: Record<string, object>;
    required?: string[];
  };
  return Object.entries(properties).map(([key, value]) => ({
    name: key,
    in: 'query',
    required: required.includes(key),
    schema: value,
  }));
}

function bodyOf({ media, schema }: RouteInput): object {
  return {
    required: true,
    content: {
      [media ?? 'application/octet-stream']: { schema: schema === undefined ? {} : jsonSchema(schema) },
    },
  };
}

/** The schema of what a client sends, before defaults and transformations. */
function jsonSchema(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}

/** The envelope of every error of every service (interfaces: `code` repeats the status, `reason` is stable). */
const ERROR = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message', 'reason'],
      properties: { code: { type: 'integer' }, message: { type: 'string' }, reason: { type: 'string' } },
    },
  },
};

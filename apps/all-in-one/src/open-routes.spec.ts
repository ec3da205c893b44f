import { expect, test } from 'vitest';
import type { ScsConfig } from '#libs/config';
import { SERVICE_NAMES } from '#libs/contract';
import { OPEN_ROUTES, routesOf, unlistedOpenRoutes } from '#libs/server';
import { chosenModules } from './modules.js';

const everything = { services: SERVICE_NAMES } as unknown as ScsConfig;
/** Answered by every process, whatever runs in it. */
const SYSTEM = [
  'GET /version',
  'GET /:prefix/version',
  'GET /:prefix/:more/version',
  'GET /healthz',
  'GET /readyz',
  'GET /docs/*',
];

test('no route of any service is open unless the table of open routes says so', async () => {
  const routes = routesOf(await chosenModules(everything));
  expect(routes.length).toBeGreaterThan(10);
  expect(unlistedOpenRoutes(routes)).toEqual([]);
});

test('the table of open routes lists no route that does not exist, and none that needs a token', async () => {
  const open = routesOf(await chosenModules(everything))
    .filter((route) => route.access.kind !== 'token')
    .map((route) => `${route.method} ${route.path}`);
  expect(
    Object.keys(OPEN_ROUTES).filter((route) => !open.includes(route) && !SYSTEM.includes(route)),
  ).toEqual([]);
});

test('every route that changes something says which scope it needs, or checks the caller itself', async () => {
  const loose = routesOf(await chosenModules(everything))
    .filter(({ method }) => !['GET', 'HEAD', 'OPTIONS'].includes(method))
    .filter(({ access }) => access.kind !== 'self-authenticated' && access.scopes.length === 0)
    .map(({ method, path }) => `${method} ${path}`);
  // Decided by policy.ts of auth: by password, by an administrator, by an owner of the organisation, or a token that ends itself.
  expect(loose.toSorted()).toEqual([
    'DELETE /v1/auth/organisations/:name/members/:username',
    'DELETE /v1/auth/tokens/:id',
    'PATCH /v1/auth/organisations/:name',
    'PATCH /v1/auth/organisations/:name/robots/:robot',
    'PATCH /v1/auth/users/:username',
    'POST /v1/auth/organisations/:name/robots',
    'POST /v1/auth/tokens',
    'PUT /v1/auth/organisations/:name/members/:username',
    'PUT /v1/auth/users/:username/password',
  ]);
});

test('routes that take an expired token for what was begun with it are these, and a new one is a decision', async () => {
  const lenient = routesOf(await chosenModules(everything))
    .filter(({ access }) => access.afterExpiry !== undefined)
    .map(({ method, path }) => `${method} ${path}`);
  // The end of an upload and its tags, the pull of what a build made, further ranges of a download; the end of a build.
  expect(lenient.toSorted()).toEqual([
    'DELETE /v1/build-context/:digest',
    'GET /v1/build-output/:id',
    'GET /v1/build/:id',
    'GET /v1/imagefile/*',
    'GET /v1/images/*',
    'GET /v1/tags/:container',
    'GET /v2/tags/:container',
    'POST /v1/tags/:container',
    'POST /v2/tags/:container',
    'PUT /v1/build/:id/_cancel',
    'PUT /v2/imagefile/:image/_complete',
    'PUT /v2/imagefile/:image/_multipart',
    'PUT /v2/imagefile/:image/_multipart_abort',
    'PUT /v2/imagefile/:image/_multipart_complete',
  ]);
});

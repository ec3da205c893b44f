import { Controller, Get, Module, Post } from '@nestjs/common';
import { expect, test } from 'vitest';
import { Anonymous, Requires, SelfAuthenticated } from './decorators.js';
import { OPEN_ROUTES, requireListedRoutes, unlistedOpenRoutes } from './open-routes.js';
import { routesOf } from './routes.js';

@Controller()
class OpenController {
  @Get('version')
  @Anonymous()
  version(): void {}
}

@Controller('v1/secrets')
class LeakyController {
  @Get(':id')
  @Anonymous()
  read(): void {}

  @Post()
  @SelfAuthenticated()
  write(): void {}

  @Get()
  @Requires('admin')
  list(): void {}
}

@Anonymous()
@Controller(['v1/a', 'v1/b'])
class OpenClassController {
  @Get()
  read(): void {}
}

@Module({ controllers: [OpenController] })
class Inner {}
@Module({ imports: [Inner], controllers: [] })
class Outer {}

test('routes are found in modules that modules import, whole paths and methods', () => {
  const routes = routesOf([Outer, { module: Inner, controllers: [LeakyController] }]);
  expect(routes.map(({ method, path, access }) => `${method} ${path} ${access.kind}`).sort()).toEqual([
    'GET /v1/secrets token',
    'GET /v1/secrets/:id anonymous',
    'GET /version anonymous',
    'POST /v1/secrets self-authenticated',
  ]);
});

test('an open route that is not in the table stops the start', () => {
  const routes = routesOf([{ module: Inner, controllers: [LeakyController, OpenClassController] }]);
  expect(unlistedOpenRoutes(routes)).toHaveLength(4);
  expect(() => requireListedRoutes(routes)).toThrow(
    /GET \/v1\/secrets\/:id .* not in the table of open routes/,
  );
  expect(() => requireListedRoutes(routesOf([Outer]))).not.toThrow();
});

test('every entry of the table says why', () => {
  for (const [route, reason] of Object.entries(OPEN_ROUTES)) {
    expect(route).toMatch(/^(GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS) \//);
    expect(reason.length).toBeGreaterThan(10);
  }
});

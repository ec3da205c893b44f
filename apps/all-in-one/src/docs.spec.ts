import { expect, test } from 'vitest';
import type { ScsConfig } from '#libs/config';
import { SERVICE_NAMES } from '#libs/contract';
import { describeServices, routesOf, templateOf } from '#libs/server';
import { chosenModules } from './modules.js';

const modules = await chosenModules({ services: SERVICE_NAMES } as unknown as ScsConfig);
const documents = new Map([...describeServices(modules, '1.2.3')].map(([name, make]) => [name, make()]));

test('every service with routes is described, and every route of it once', () => {
  expect([...documents.keys()]).toEqual(SERVICE_NAMES.filter((name) => name !== 'worker'));
  const described = [...documents.values()].flatMap(({ paths }) =>
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    ),
  );
  const routes = routesOf(modules).map(({ method, path }) => `${method} ${templateOf(path)}`);
  expect(described.toSorted()).toEqual(routes.toSorted());
});

test('a description says which token is needed, and what a request holds', () => {
  const make = documents.get('auth')?.paths['/v1/auth/tokens']?.['post'];
  expect(make).toMatchObject({
    security: [{ token: [] }],
    requestBody: { content: { 'application/json': { schema: { required: ['name', 'scopes'] } } } },
  });
  expect(documents.get('library')?.paths['/v1/images/{path}']?.['delete']).toMatchObject({
    'x-scopes': ['library:delete'],
    parameters: expect.arrayContaining([
      expect.objectContaining({ name: 'path', in: 'path', required: true }),
    ]),
  });
  expect(documents.get('keystore')?.paths['/pks/add']?.['post']).toMatchObject({
    'x-scopes': ['keystore:write'],
  });
});

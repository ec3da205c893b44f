import type { DynamicModule, Type } from '@nestjs/common';
import { routesOf } from '../auth/routes.js';
import type { Descriptions } from './docs.controller.js';
import { describeService, type OpenApi } from './document.js';
import { type DescribedName, serviceOf } from './service-name.js';

export { templateOf, type OpenApi } from './document.js';
export { type DescribedName, Service } from './service-name.js';

/** The descriptions of all services among these modules, by name; each is made when it is asked for. */
export function describeServices(modules: readonly (Type | DynamicModule)[], version: string): Descriptions {
  const descriptions = new Map<string, () => OpenApi>();
  for (const module of modules) {
    const service = serviceOf(module);
    if (service !== undefined)
      descriptions.set(service, () => describeService(service, version, routesOf([module])));
  }
  return descriptions;
}

/** Whose each route is, by its template as it was registered: `/v1/tags/:container`. */
export function servicesByRoute(
  modules: readonly (Type | DynamicModule)[],
): ReadonlyMap<string, DescribedName> {
  const services = new Map<string, DescribedName>();
  for (const module of modules) {
    const service = serviceOf(module);
    if (service !== undefined) for (const { path } of routesOf([module])) services.set(path, service);
  }
  return services;
}

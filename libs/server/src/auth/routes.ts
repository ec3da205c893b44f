import { RequestMethod, type Type } from '@nestjs/common';
import {
  HTTP_CODE_METADATA,
  METHOD_METADATA,
  MODULE_METADATA,
  PATH_METADATA,
} from '@nestjs/common/constants.js';
import { inputsOf, type RouteInput } from '../openapi/inputs.js';
import { type Access, readAccess } from './access.js';

/** One route of a service with what it asks of its caller. */
export interface RouteAccess {
  /** `GET`, `POST` …; `ALL` for a route that takes every method. */
  readonly method: string;
  /** As registered, with its parameters: `/v1/tags/:container`. */
  readonly path: string;
  /** `Controller.method`, for people. */
  readonly handler: string;
  readonly access: Access;
  /** What it answers when all went well. */
  readonly status: number;
  readonly inputs: readonly RouteInput[];
}

/** What `imports` of a module may hold: a class, or a module that was configured at run time. */
export type ModuleLike = Type | { module: Type; imports?: unknown; controllers?: unknown };

/** Every route of these modules and of what they import, read from their decorators; nothing is started. */
export function routesOf(modules: readonly unknown[]): RouteAccess[] {
  const controllers = new Set<Type>();
  collect(modules, controllers, new Set());
  return [...controllers].flatMap(routesOfController);
}

function collect(modules: readonly unknown[], found: Set<Type>, seen: Set<unknown>): void {
  for (const module of modules) {
    if (seen.has(module)) continue;
    seen.add(module);
    if (typeof module === 'function') {
      for (const controller of listOf<Type>(Reflect.getMetadata(MODULE_METADATA.CONTROLLERS, module)))
        found.add(controller);
      collect(listOf(Reflect.getMetadata(MODULE_METADATA.IMPORTS, module)), found, seen);
    } else if (typeof module === 'object' && module !== null && 'module' in module) {
      const dynamic = module as Exclude<ModuleLike, Type>;
      for (const controller of listOf<Type>(dynamic.controllers)) found.add(controller);
      collect([dynamic.module, ...listOf(dynamic.imports)], found, seen);
    }
  }
}

function routesOfController(controller: Type): RouteAccess[] {
  const prefixes = pathsOf(controller);
  const prototype = controller.prototype as object;
  return Object.getOwnPropertyNames(prototype).flatMap((name) => {
    const handler: unknown = Object.getOwnPropertyDescriptor(prototype, name)?.value;
    if (typeof handler !== 'function') return [];
    const method = Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod | undefined;
    if (method === undefined) return [];
    return prefixes.flatMap((prefix) =>
      pathsOf(handler).map((path) => ({
        method: RequestMethod[method],
        path: join(prefix, path),
        handler: `${controller.name}.${name}`,
        access: readAccess(handler, controller),
        status: statusOf(handler, method),
        inputs: inputsOf(controller, name),
      })),
    );
  });
}

/** Nest answers a POST with 201 unless the handler says otherwise. */
function statusOf(handler: object, method: RequestMethod): number {
  const said = Reflect.getMetadata(HTTP_CODE_METADATA, handler) as number | undefined;
  return said ?? (method === RequestMethod.POST ? 201 : 200);
}

function pathsOf(target: object): string[] {
  const path = Reflect.getMetadata(PATH_METADATA, target) as string | string[] | undefined;
  return typeof path === 'string' ? [path] : (path ?? ['']);
}

function join(...parts: string[]): string {
  return `/${parts
    .flatMap((part) => part.split('/'))
    .filter((part) => part !== '')
    .join('/')}`;
}

function listOf<T>(value: unknown): T[] {
  return Array.isArray(value) ? (value as T[]) : [];
}

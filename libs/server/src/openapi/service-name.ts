import type { Type } from '@nestjs/common';
import type { ServiceName } from '#libs/contract';

const SERVICE_METADATA = 'scs:service';

/** Whose routes are described: a service's, or those that every process answers. */
export type DescribedName = ServiceName | 'system';

/** On the module of a service: under which name its routes are described (`/docs/<service>.json`). */
export function Service(name: DescribedName): ClassDecorator {
  return (target) => Reflect.defineMetadata(SERVICE_METADATA, name, target);
}

/** The name that {@link Service} gave to a module, or to the module of a dynamic one. */
export function serviceOf(module: Type | { readonly module: Type }): DescribedName | undefined {
  const target = typeof module === 'function' ? module : module.module;
  return Reflect.getMetadata(SERVICE_METADATA, target) as DescribedName | undefined;
}

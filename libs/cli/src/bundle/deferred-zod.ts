import type { z } from 'zod';

type Zod = typeof z;
type Made = Record<PropertyKey, unknown>;

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '));

/** Functions of zod that make a schema and do nothing else. */
export const MAKERS = words(
  'array boolean discriminatedUnion email enum int literal looseObject number object record strictObject string undefined union unknown url',
);

/** Objects of zod that hold such functions. */
export const PLACES = words('coerce iso');

/** Methods of a schema that make another one and do nothing else. */
const CHANGES = words(
  'array catch catchall default email endsWith exclude extend extract gt gte int length loose lt lte max min multipleOf negative nonempty ' +
    'nonnegative nonoptional nonpositive nullable nullish omit optional or partial pick pipe positive readonly refine regex ' +
    'required startsWith strict superRefine toLowerCase toUpperCase transform trim url',
);

/**
 * zod for a command line, which has some hundred schemas and needs few of them: making all of them costs more than everything
 * else that a command does before its first request. What this one makes notes how it is to be made, and is made when something
 * else is done with it than to make further schemas of it: it parses, or another one that holds it parses.
 * @param load gives zod; called with the first schema that is made
 */
export function deferredZod(load: () => Zod): Zod {
  const zod = once(load as unknown as () => Made);
  return new Proxy({} as Zod, {
    get(_, name) {
      if (MAKERS.has(String(name))) return maker(zod, name);
      if (PLACES.has(String(name))) return place(zod, name);
      throw new Error(
        `Expected a part of zod that libs/cli/src/bundle/deferred-zod.ts lists, got ${String(name)}`,
      );
    },
  });
}

function place(zod: () => Made, name: PropertyKey): object {
  return new Proxy({}, { get: (_, member) => maker(() => zod()[name] as Made, member) });
}

function maker(owner: () => Made, name: PropertyKey) {
  return (...given: readonly unknown[]): object => deferred(() => call(owner(), name, given));
}

function deferred(make: () => Made): object {
  const made = once(make);
  return new Proxy(
    {},
    {
      get: (_, name) => (CHANGES.has(String(name)) ? maker(made, name) : Reflect.get(made(), name)),
      set: (_, name, value) => Reflect.set(made(), name, value),
      has: (_, name) => Reflect.has(made(), name),
      getPrototypeOf: () => Reflect.getPrototypeOf(made()),
    },
  );
}

function call(owner: Made, name: PropertyKey, given: readonly unknown[]): Made {
  return (owner[name] as (...given: readonly unknown[]) => Made).call(owner, ...given);
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

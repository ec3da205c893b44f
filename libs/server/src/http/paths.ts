import type { RouteAccess } from '../auth/index.js';

/** Below it clients are careless about slashes (keystore contract §1.3); elsewhere an empty part of a path is a name that is missing. */
const CARELESS = /^\/+pks(?=\/|$)/;

/** The request target as it is routed: `//pks/lookup/?op=get` is `/pks/lookup?op=get`. */
export function tidyTarget(target: string): string {
  const question = target.indexOf('?');
  const path = question === -1 ? target : target.slice(0, question);
  if (!CARELESS.test(path) || !(path.includes('//') || path.endsWith('/'))) return target;
  const tidy = path.replaceAll(/\/+/g, '/').replace(/\/$/, '');
  return question === -1 ? tidy : tidy + target.slice(question);
}

/**
 * Which methods there are at an address: somebody who asks in another way is told so (RFC 9110 §15.5.6).
 * @returns none where there is nothing
 */
export function methodsAt(
  routes: readonly Pick<RouteAccess, 'method' | 'path'>[],
): (target: string) => string[] {
  const patterns = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>();
  for (const { method, path } of routes) {
    const known = patterns.get(path) ?? { pattern: patternOf(path), methods: new Set() };
    patterns.set(path, known);
    known.methods.add(method);
    if (method === 'GET') known.methods.add('HEAD');
  }
  return (target) => {
    const [path = ''] = target.split('?', 1);
    const here = [...patterns.values()].filter(({ pattern }) => pattern.test(path));
    return [...new Set(here.flatMap(({ methods }) => [...methods]))].toSorted();
  };
}

function patternOf(path: string): RegExp {
  const parts = path.split('/').map((part) => {
    if (part === '*') return '.*';
    return part.startsWith(':') ? '[^/]+' : part.replaceAll(/[^\w-]/g, String.raw`\$&`);
  });
  return new RegExp(`^${parts.join('/')}$`);
}

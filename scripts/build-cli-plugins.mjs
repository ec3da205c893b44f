// What the bundles of the command lines take in place of the packages that they name. See scripts/build-cli.mjs.
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MAKERS, PLACES } from '../libs/cli/src/bundle/deferred-zod.ts';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const text = (path) => JSON.stringify(at(path));

/** A plugin that answers for modules of its own. @param choose gives the name of one for an import, or undefined */
function stands(name, modules, choose) {
  return {
    name,
    resolveId(source, importer = '') {
      const chosen = choose(source, importer);
      return chosen === undefined ? undefined : `\0${name}/${chosen}`;
    },
    load(id) {
      return id.startsWith(`\0${name}/`) ? modules[id.slice(name.length + 2)] : undefined;
    },
  };
}

/**
 * Parts of undici that our client uses: the package's own index also loads fetch, caches, mocks and web sockets, and its
 * client loads HTTP/2, forms and Node's own HTTP, of which our client uses nothing. Its assertions are plain ones: Node's
 * module for them brings along what prints differences of values. Names of headers are written small without a tree of the
 * known ones, which is made for many answers and used for few.
 */
export const slimUndici = stands(
  'slim-undici',
  {
    unused: 'module.exports = { unused: true };',
    'node:http': 'module.exports = { IncomingMessage: class {}, maxHeaderSize: 16384 };',
    'node:assert': `module.exports = (value, message) => {
  if (!value) throw message instanceof Error ? message : new Error(message ?? 'undici: an assertion failed');
};`,
    './tree': 'module.exports = { tree: { lookup: () => undefined } };',
    undici: `import Agent from ${text('node_modules/undici/lib/dispatcher/agent.js')};
import EnvHttpProxyAgent from ${text('node_modules/undici/lib/dispatcher/env-http-proxy-agent.js')};
import Dispatcher from ${text('node_modules/undici/lib/dispatcher/dispatcher.js')};
import api from ${text('node_modules/undici/lib/api/index.js')};
Object.assign(Dispatcher.prototype, api);
export { Agent, EnvHttpProxyAgent, Dispatcher };`,
  },
  (source, importer) => {
    if (source === 'undici') return 'undici';
    if (!importer.includes('/undici/lib/')) return undefined;
    if (['node:http', 'node:assert', './tree'].includes(source)) return source;
    return /client-h2|h2c-client|web\/|socks5/.test(source) ? 'unused' : undefined;
  },
);

/**
 * What lies in files of its own because not every command comes to it: our parts of zod, undici's parser for HTTP, and the planner of
 * starts, of which every command needs the flags alone.
 */
export const APART = {
  runtime: at('libs/runtime/src/index.ts'),
  zod: 'zod-parts',
  'llhttp-simd': at('node_modules/undici/lib/llhttp/llhttp_simd-wasm.js'),
  llhttp: at('node_modules/undici/lib/llhttp/llhttp-wasm.js'),
};

export const zodParts = stands(
  'zod-parts',
  { parts: `export { ${[...MAKERS, ...PLACES].join(', ')} } from ${text('node_modules/zod/index.js')};` },
  (source) => (source === 'zod-parts' ? 'parts' : undefined),
);

/** Who plans starts. */
const PLANS = ['/apps/sing/src/action/uncached.ts'];

/** Leads to the files of {@link APART}. @param files their names by those of the modules */
export const apart = (files) => ({
  name: 'apart',
  resolveId(source, importer = '') {
    // Compared by their last parts: packages may be reached by several paths.
    const name =
      source === '#libs/runtime'
        ? PLANS.find((each) => importer.endsWith(each)) && 'runtime'
        : Object.keys(APART).find((each) => basename(APART[each]) === basename(source));
    return name === undefined ? undefined : { id: `./${files[name]}`, external: true };
  },
});

/** Lets our sources note their schemas and make them when they are used. */
export const deferZod = stands(
  'defer-zod',
  {
    zod: `import { deferredZod } from ${text('libs/cli/src/bundle/deferred-zod.ts')};
export const z = deferredZod(() => require('zod-parts'));`,
  },
  (source, importer) => (source === 'zod' && !importer.includes('/node_modules/') ? 'zod' : undefined),
);

/** Modules that few commands need, with the functions that our sources call: loaded when one of them is called. */
const LATE = {
  '#addon': ['become', 'nativeHost', 'start'],
  'node:v8': ['setFlagsFromString'],
  'node:vm': ['runInNewContext'],
};

const lateModules = stands(
  'late',
  Object.fromEntries(
    Object.entries(LATE).map(([module, functions]) => [
      module,
      functions
        .map((name) => `export const ${name} = (...words) => require('${module}').${name}(...words);`)
        .join('\n'),
    ]),
  ),
  (source, importer) => (source in LATE && importer.endsWith('.ts') ? source : undefined),
);
export const late = {
  ...lateModules,
  resolveId: (source, importer) =>
    lateModules.resolveId(source, importer) ??
    (source === '#addon' ? { id: source, external: true } : undefined),
};

/** Collects the modules that the entries of a bundle need at once, without those that are loaded later. */
export function startModules() {
  const found = new Set();
  return {
    has: (id) => found.has(id),
    plugin: {
      name: 'start-modules',
      buildEnd() {
        const left = [...this.getModuleIds()].filter((id) => this.getModuleInfo(id).isEntry);
        for (let id = left.pop(); id !== undefined; id = left.pop()) {
          if (found.has(id)) continue;
          found.add(id);
          left.push(...(this.getModuleInfo(id)?.importedIds ?? []));
        }
      },
    },
  };
}

/** Entries: `program:NAME` gives `start(words)` of a command line, `entry:NAME:CHUNK` calls that of a chunk. */
export const entries = {
  name: 'entries',
  resolveId: (source) => (/^(program|entry):/.test(source) ? `\0${source}` : undefined),
  load(id) {
    const [kind, name, chunk] = id.slice(1).split(':');
    if (kind === 'program') {
      return `import { runProgram } from '#libs/cli';
import { ${name} } from ${text(`apps/${name}/src/program.ts`)};
export const start = (words) => runProgram(${name}, words);`;
    }
    if (kind === 'entry') {
      return `import { join } from 'node:path';
import { chunkLoader } from ${text('libs/cli/src/bundle/chunks.ts')};
const at = (folder) => join(import.meta.dirname, folder);
chunkLoader({ folder: at('chunks'), compiled: at('compiled') })('./${chunk}').start();`;
    }
    return undefined;
  },
};

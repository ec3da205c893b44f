// Bundles the command lines and the launch planner: `npm run build:cli`.
//
// dist/cli/sing.mjs, dist/cli/scs.mjs  entry of each command line; what a command needs more lies beside it in lazy chunks
// dist/planner/planner.js              the planner for the engine inside the native program (build-planner.mjs)
// dist/cli/share/                      manual page and completion scripts, made by the bundled program itself
// dist/cli/sing.help                   help texts for the native program, made likewise
// dist/cli/compiled/                   compiled code of what commands load later
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));
const at = (...parts) => join(root, ...parts);

const common = {
  cwd: root,
  resolve: { conditionNames: ['source', 'node', 'import', 'default'] },
  transform: { target: 'node24' },
  logLevel: 'warn',
};

/**
 * Parts of undici that our client uses: the package's own index also loads fetch, caches, mocks and web sockets, and its
 * client loads HTTP/2 and forms, of which our client uses neither.
 */
const slimUndici = {
  name: 'slim-undici',
  resolveId(source, importer) {
    if (importer === undefined) return undefined;
    if (source === 'undici') return '\0undici';
    if (!importer.includes('/undici/lib/')) return undefined;
    return /client-h2|h2c-client|web\/|socks5/.test(source) ? '\0undici-unused' : undefined;
  },
  load(id) {
    if (id === '\0undici-unused') return 'module.exports = { unused: true };';
    if (id !== '\0undici') return undefined;
    const part = (path) => JSON.stringify(at('node_modules/undici/lib', path));
    return `import Agent from ${part('dispatcher/agent.js')};
import EnvHttpProxyAgent from ${part('dispatcher/env-http-proxy-agent.js')};
import Dispatcher from ${part('dispatcher/dispatcher.js')};
import api from ${part('api/index.js')};
Object.assign(Dispatcher.prototype, api);
export { Agent, EnvHttpProxyAgent, Dispatcher };`;
  },
};

async function bundleCommandLines() {
  const names = ['sing', 'scs'].filter((name) => existsSync(at(`apps/${name}/src/main.ts`)));
  const bundle = await rolldown({
    ...common,
    platform: 'node',
    input: Object.fromEntries(names.map((name) => [name, at(`apps/${name}/src/main.ts`)])),
    // Native modules stay outside; a command that needs one loads it from where npm put it.
    external: [/\.node$/, '#addon', '@node-rs/argon2', 'better-sqlite3', 'mongodb'],
    plugins: [slimUndici],
    // What is outside is loaded where something of it is used, and by nothing else.
    treeshake: { moduleSideEffects: [{ external: true, sideEffects: false }] },
  });
  await rm(at('dist/cli'), { recursive: true, force: true });
  await bundle.write({
    dir: at('dist/cli'),
    format: 'esm',
    entryFileNames: '[name].mjs',
    chunkFileNames: 'chunks/[name]-[hash].mjs',
    minify: { compress: true, mangle: true, codegen: true },
    keepNames: true,
    sourcemap: false,
    comments: { legal: false },
  });
  await bundle.close();
  return names;
}

const run = promisify(execFile);

async function writeShare(names) {
  const outputs = names.flatMap((name) => [
    [`man/man1/${name}.1`, [name, 'manual']],
    [`bash-completion/completions/${name}`, [name, 'completion', 'bash']],
    [`zsh/site-functions/_${name}`, [name, 'completion', 'zsh']],
    [`fish/vendor_completions.d/${name}.fish`, [name, 'completion', 'fish']],
  ]);
  await Promise.all(
    outputs.map(async ([path, [name, ...words]]) => {
      const { stdout } = await run(process.execPath, [at(`dist/cli/${name}.mjs`), ...words]);
      const target = at('dist/cli/share', path);
      await mkdir(join(target, '..'), { recursive: true });
      await writeFile(target, stdout);
    }),
  );
}

/**
 * The help texts, so that the native program prints them itself. In front stands a copy of the entry, whose imports have the
 * hash of what they hold in their names: who reads the texts sees whether they belong to the command line beside them.
 */
async function writeHelp() {
  const bundle = at('dist/cli/sing.mjs');
  const [entry, { stdout }] = await Promise.all([
    readFile(bundle),
    run(process.execPath, [bundle, 'manual', '--format', 'help-index'], { maxBuffer: 16 << 20 }),
  ]);
  await writeFile(at('dist/cli/sing.help'), [`entry ${entry.length}\n`, entry, stdout]);
}

/** Lets the commands that need most run once, so that their code lies compiled beside the bundle for whoever built it. */
async function warmUp() {
  await mkdir(at('dist/cli/compiled'));
  const home = await mkdtemp(join(tmpdir(), 'sing-warm-up-'));
  const env = { PATH: process.env.PATH, HOME: home, SCS_HOME: home };
  const nowhere = 'http://127.0.0.1:9';
  try {
    for (const words of [
      ['key', 'list'],
      ['key', 'search', '--url', nowhere, 'nobody'],
      ['search', '--library', nowhere, 'nothing'],
    ]) {
      // What they answer does not matter: there is no key and no server.
      await run(process.execPath, [at('dist/cli/sing.mjs'), ...words], { env }).catch(() => undefined);
    }
  } finally {
    await rm(home, { recursive: true });
  }
}

const [names] = await Promise.all([bundleCommandLines(), import('./build-planner.mjs')]);
await Promise.all([writeShare(names), writeHelp(), warmUp()]);

// Bundles the command lines, the launch planner and the program of builds: `npm run build:cli`.
//
// dist/cli/sing.cjs, dist/cli/scs.cjs  entry of each command line; it loads
// dist/cli/chunks/                     what a command line is made of: one chunk that all commands need, others when they are
// dist/cli/compiled/                   compiled code of chunks, for the Node that built them (build-cli-compiled.mjs)
// dist/cli/share/                      manual page and completion scripts, made by the bundled program itself
// dist/cli/sing.help                   help texts for the native program, made likewise
// dist/planner/planner.js              the planner for the engine inside the native program (build-planner.mjs)
// dist/enclosed/main.js                what does a build in its enclosure (build-enclosed.mjs)
import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { rolldown } from 'rolldown';
import {
  APART,
  apart,
  deferZod,
  entries,
  late,
  slimUndici,
  startModules,
  zodParts,
} from './build-cli-plugins.mjs';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const at = (...parts) => join(root, ...parts);

/**
 * Bundles modules into dist/cli and gives the files of the entries by name. CommonJS: a module of Node that an ES module imports
 * is read to the last of its members, which loads half of the others.
 */
async function bundle(input, { folder = 'chunks', names = '[name]-[hash].cjs', plugins = [], groups = [] }) {
  const made = await rolldown({
    cwd: root,
    input,
    platform: 'node',
    resolve: { conditionNames: ['source', 'node', 'import', 'default'] },
    // The second is what undici asks for to leave out a parser that is not used unless a variable of the environment says so.
    transform: { target: 'node24', define: { esbuildDetection: 'true' } },
    logLevel: 'warn',
    // Native modules stay outside; a command that needs one loads it from where npm put it. So do the databases of services,
    // which have a thread of their own: `--offline` commands load them as the services do.
    external: [/\.node$/, '@node-rs/argon2', '#libs/documents'],
    plugins,
    // What is outside is loaded where something of it is used, and by nothing else.
    treeshake: { moduleSideEffects: [{ external: true, sideEffects: false }] },
  });
  const { output } = await made.write({
    dir: at('dist/cli', folder),
    format: 'cjs',
    dynamicImportInCjs: false,
    entryFileNames: names,
    chunkFileNames: '[name]-[hash].cjs',
    codeSplitting: { groups },
    minify: { compress: true, mangle: true, codegen: true },
    keepNames: true,
    sourcemap: false,
    comments: { legal: false },
  });
  await made.close();
  return Object.fromEntries(
    output.filter((chunk) => chunk.isEntry).map((chunk) => [chunk.name, chunk.fileName]),
  );
}

async function bundleCommandLine(name, plugins) {
  const start = startModules();
  const chunks = await bundle(
    { [name]: `program:${name}` },
    {
      plugins: [entries, late, slimUndici, ...plugins, start.plugin],
      // One file for what every command needs, also where something that is loaded later needs it too.
      groups: [{ name: 'base', test: (id) => start.has(id) }],
    },
  );
  const entry = { [name]: `entry:${name}:${chunks[name]}:` };
  await bundle(entry, { folder: '.', names: '[name].cjs', plugins: [entries] });
  return chunks[name];
}

async function bundleCommandLines() {
  const files = await bundle(APART, { plugins: [zodParts, late] });
  const chunk = await bundleCommandLine('sing', [deferZod, apart(files)]);
  // The operator's commands read the settings of services, whose schemas are more than the deferred zod offers.
  await bundleCommandLine('scs', []);
  await run(process.execPath, [at('scripts/build-cli-compiled.mjs'), at('dist/cli'), chunk]);
}

async function writeShare() {
  const outputs = ['sing', 'scs'].flatMap((name) => [
    [`man/man1/${name}.1`, [name, 'manual']],
    [`bash-completion/completions/${name}`, [name, 'completion', 'bash']],
    [`zsh/site-functions/_${name}`, [name, 'completion', 'zsh']],
    [`fish/vendor_completions.d/${name}.fish`, [name, 'completion', 'fish']],
  ]);
  await Promise.all(
    outputs.map(async ([path, [name, ...words]]) => {
      const { stdout } = await run(process.execPath, [at(`dist/cli/${name}.cjs`), ...words]);
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
  const bundle = at('dist/cli/sing.cjs');
  const [entry, { stdout }] = await Promise.all([
    readFile(bundle),
    run(process.execPath, [bundle, 'manual', '--format', 'help-index'], { maxBuffer: 16 << 20 }),
  ]);
  await writeFile(at('dist/cli/sing.help'), [`entry ${entry.length}\n`, entry, stdout]);
}

await rm(at('dist/cli'), { recursive: true, force: true });
await Promise.all([bundleCommandLines(), import('./build-planner.mjs'), import('./build-enclosed.mjs')]);
await Promise.all([writeShare(), writeHelp()]);

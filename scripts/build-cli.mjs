// Bundles the command lines and the launch planner: `npm run build:cli`.
//
// dist/cli/sing.cjs, dist/cli/scs.cjs  entry of each command line; it loads
// dist/cli/chunks/                     what a command line is made of: one chunk that all commands need, others when they are
// dist/cli/compiled/                   compiled code of chunks, for the Node that built them (build-cli-compiled.mjs)
// dist/cli/share/                      manual page and completion scripts, made by the bundled program itself
// dist/cli/sing.help                   help texts for the native program, made likewise
// dist/planner/planner.js              the planner for the engine inside the native program (build-planner.mjs)
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { rolldown } from 'rolldown';
import { deferZod, entries, late, slimUndici, startModules, zodParts } from './build-cli-plugins.mjs';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const at = (...parts) => join(root, ...parts);

/** CommonJS: a module of Node that is imported is read to the last of its members, which loads half of the others. */
async function bundle({ input, folder, names, plugins }) {
  const start = startModules();
  const made = await rolldown({
    cwd: root,
    input,
    platform: 'node',
    resolve: { conditionNames: ['source', 'node', 'import', 'default'] },
    transform: { target: 'node24' },
    logLevel: 'warn',
    // Native modules stay outside; a command that needs one loads it from where npm put it. So do the databases of services,
    // which have a thread of their own: `--offline` commands load them as the services do.
    external: [/\.node$/, '@node-rs/argon2', '#libs/documents'],
    plugins: [...plugins, start.plugin],
    // What is outside is loaded where something of it is used, and by nothing else.
    treeshake: { moduleSideEffects: [{ external: true, sideEffects: false }] },
  });
  const { output } = await made.write({
    dir: at('dist/cli', folder),
    format: 'cjs',
    dynamicImportInCjs: false,
    entryFileNames: names,
    chunkFileNames: '[name]-[hash].cjs',
    // One file for what every command needs, also where something that is loaded later needs it too.
    codeSplitting: { groups: [{ name: 'base', test: (id) => start.has(id) }] },
    minify: { compress: true, mangle: true, codegen: true },
    keepNames: true,
    sourcemap: false,
    comments: { legal: false },
  });
  await made.close();
  return output.find((chunk) => chunk.isEntry).fileName;
}

async function bundleCommandLines() {
  const names = ['sing', 'scs'].filter((name) => existsSync(at(`apps/${name}/src/program.ts`)));
  const chunks = { folder: 'chunks', names: '[name]-[hash].cjs' };
  const zod = await bundle({ ...chunks, input: { zod: 'zod-parts' }, plugins: [zodParts] });
  for (const name of names) {
    // The operator's commands read the settings of services, whose schemas are more than the deferred zod offers.
    const plugins = [entries, late, slimUndici, ...(name === 'sing' ? [deferZod(zod)] : [])];
    const chunk = await bundle({ ...chunks, input: { [name]: `program:${name}` }, plugins });
    const input = { [name]: `entry:${name}:${chunk}:` };
    await bundle({ input, folder: '.', names: '[name].cjs', plugins: [entries] });
    if (name === 'sing')
      await run(process.execPath, [at('scripts/build-cli-compiled.mjs'), at('dist/cli'), chunk]);
  }
  return names;
}

async function writeShare(names) {
  const outputs = names.flatMap((name) => [
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
const [names] = await Promise.all([bundleCommandLines(), import('./build-planner.mjs')]);
await Promise.all([writeShare(names), writeHelp()]);

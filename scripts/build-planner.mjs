/**
 * Bundles the launch planner for the engine inside `sing`: one script without imports, dist/planner/planner.js. `npm run build:native` compiles it to bytecode.
 * Beside it dist/planner/golden.js, the same with the golden cases in it, for the engine's test.
 * What comes from Node (libs/core makes ids with node:crypto) must be shaken away: an import that is left is an error, as is a bundle over the limit, without comments and indentation.
 */
import { mkdir, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const folder = resolve(root, 'dist/planner');
const LARGEST = 150_000;
/** What the engine reads: no comments and no indentation. Names stay, for the traces of what goes wrong. */
const MINIFIED = { compress: false, mangle: false, codegen: { removeWhitespace: true } };

async function bundleScript(input, name) {
  const entry = resolve(root, input);
  const bundle = await rolldown({
    input: entry,
    platform: 'neutral',
    external: [/^node:/],
    resolve: { conditionNames: ['source'] },
    transform: { target: 'es2024' },
    treeshake: { moduleSideEffects: (id, external) => !external && id === entry },
  });
  const file = resolve(folder, name);
  const { output } = await bundle.write({
    file,
    format: 'iife',
    sourcemap: true,
    strict: true,
    minify: MINIFIED,
  });
  await bundle.close();
  const [main, ...others] = output.filter((chunk) => chunk.type === 'chunk');
  if (others.length > 0 || main.imports.length > 0)
    throw new Error(`Expected one script without imports for ${name}, got ${main.imports.join(', ')}`);
  return (await stat(file)).size;
}

await mkdir(folder, { recursive: true });
const [size] = await Promise.all([
  bundleScript('libs/runtime/src/planner/main.ts', 'planner.js'),
  bundleScript('libs/runtime/src/testing/engineMain.ts', 'golden.js'),
]);
if (size > LARGEST) throw new Error(`Expected at most ${LARGEST} bytes for the planner, got ${size}`);

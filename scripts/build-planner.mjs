/**
 * Bundles the launch planner for the engine inside `sing`: one script without imports, dist/planner/planner.js. `npm run build:native` compiles it to bytecode.
 * What comes from Node (libs/core makes ids with node:crypto) must be shaken away: an import that is left is an error, as is a bundle over the limit.
 */
import { mkdir, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const output = resolve(root, 'dist/planner/planner.js');
const LARGEST = 150_000;

const bundle = await rolldown({
  input: resolve(root, 'libs/runtime/src/planner/main.ts'),
  platform: 'neutral',
  external: [/^node:/],
  resolve: { conditionNames: ['source'] },
  treeshake: {
    moduleSideEffects: [
      { test: /planner[/\\]main\.ts$/, sideEffects: true },
      { external: true, sideEffects: false },
    ],
  },
});
await mkdir(resolve(output, '..'), { recursive: true });
const { output: chunks } = await bundle.write({
  file: output,
  format: 'iife',
  minify: process.argv.includes('--minify'),
  sourcemap: true,
  strict: true,
});
await bundle.close();

const [main] = chunks;
if (chunks.filter((chunk) => chunk.type === 'chunk').length !== 1 || main.imports.length > 0)
  throw new Error(
    `Expected one script without imports for the planner, got imports of ${main.imports.join(', ')}`,
  );
const { size } = await stat(output);
if (size > LARGEST) throw new Error(`Expected at most ${LARGEST} bytes for the planner, got ${size}`);
process.stdout.write(`dist/planner/planner.js ${size} bytes\n`);

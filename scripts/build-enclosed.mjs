/**
 * Bundles the program that does builds in an enclosure: dist/enclosed/main.js. Part of build-cli.mjs.
 * It is started for every build, and loading its two hundred modules one by one takes three times as long as the rest of its start.
 */
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = fileURLToPath(new URL('..', import.meta.url));

const made = await rolldown({
  cwd: root,
  input: { main: 'libs/build/src/enclosed/main.ts' },
  platform: 'node',
  resolve: { conditionNames: ['source', 'node', 'import', 'default'] },
  transform: { target: 'node24' },
  external: [/\.node$/],
  treeshake: {
    moduleSideEffects: [
      { external: true, sideEffects: false },
      // libs/oci knows registries, too, and they the network: nothing of that is used in an enclosure.
      { test: /node_modules\/(undici|ws)\/|libs\/(client|contract|oci)\//, sideEffects: false },
    ],
  },
  logLevel: 'warn',
});
await made.write({
  dir: `${root}/dist/enclosed`,
  format: 'esm',
  minify: { compress: true, mangle: true, codegen: true },
  keepNames: true,
  comments: { legal: false },
});
await made.close();

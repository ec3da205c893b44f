/** Where the native build finds and puts things, and how it calls the compilers. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const addon = dirname(dirname(fileURLToPath(import.meta.url)));
export const root = dirname(addon);
export const out = join(addon, 'build');
export const source = join(addon, 'src');

export const C = process.env.CC || 'gcc';
export const CXX = process.env.CXX || 'g++';

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const words = (text) => text.split(' ');

const plain = [
  ...words(
    '-std=c++20 -g1 -fPIC -fno-exceptions -fno-rtti -Wall -Wextra -Werror -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64',
  ),
  // Designated initialisers name what differs; the rest is meant to be its default.
  '-Wno-missing-field-initializers',
  `-DSING_VERSION="${version}"`,
];
const hardened = words('-O2 -fstack-protector-strong -D_FORTIFY_SOURCE=2');
const engine = join(out, 'quickjs');
const headers = join(root, 'node_modules', `node-linux-${process.arch}`, 'include/node');
const sanitizers = words('-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer');

export const flags = {
  core: [...plain, ...hardened],
  squash: [...plain, ...hardened, '-isystem', '/usr/include/fuse3'],
  planner: [...plain, ...hardened, '-isystem', engine],
  binding: [
    ...plain,
    ...hardened,
    '-isystem',
    headers,
    '-isystem',
    join(root, 'node_modules/node-addon-api'),
    ...words(
      '-fvisibility=hidden -DNAPI_VERSION=9 -DNAPI_DISABLE_CPP_EXCEPTIONS -DNODE_ADDON_API_DISABLE_DEPRECATED',
    ),
  ],
  tests: [...plain, '-O1', ...sanitizers, '-isystem', '/usr/include/fuse3'],
  // Not our code: its warnings are not ours to act on.
  engine: words('-std=gnu11 -O2 -g1 -fPIC -w -D_GNU_SOURCE -DNDEBUG'),
  // Room for the kept engine, which takes some 600 KB; with the golden cases more.
  state: ['-DPLANNER_STATE_BYTES=1048576'],
  tool: ['-std=c++20', '-O1', '-isystem', engine],
  program: words('-static-pie -Wl,--gc-sections -Wl,--strip-debug -Wl,-z,relro,-z,now'),
  module: words(
    '-shared -static-libstdc++ -static-libgcc -Wl,--gc-sections -Wl,--strip-debug -Wl,-z,relro,-z,now',
  ),
  testProgram: sanitizers,
};

export const squashLibraries = words(
  '-lsquashfuse_ll -lsquashfuse -lfuse3 -lz -llzma -llzo2 -llz4 -lzstd -lm -lpthread -ldl',
);

/** @throws Error that names the package which brings a missing file */
export function need(path, packageName) {
  if (!existsSync(path))
    throw new Error(
      `Expected ${path} (Debian and Ubuntu: apt-get install ${packageName}), got nothing there`,
    );
}

/**
 * Builds the native part into addon/build: `sing` (static), the shell beside it, the binding of Node, and with `tests` the test
 * programs. What is up to date is left alone. `SANITIZE=1` (or `tests`) builds the tests with address and undefined-behaviour
 * checks. See addon/README.md.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, globSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile, link, make } from './tools/compile.mjs';
import { quickjsSources } from './tools/quickjs.mjs';

const self = fileURLToPath(import.meta.url);
const addon = dirname(self);
const root = dirname(addon);
const out = join(addon, 'build');
const objects = join(out, 'objects');
const source = join(addon, 'src');
const withTests = process.argv.includes('tests') || process.env.SANITIZE === '1';

const C = process.env.CC || 'gcc';
const CXX = process.env.CXX || 'g++';
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

const hardening = ['-fstack-protector-strong', '-D_FORTIFY_SOURCE=2', '-fcf-protection=full'].filter(
  (flag) => process.arch === 'x64' || !flag.startsWith('-fcf'),
);
const cxxFlags = [
  ...['-std=c++20', '-O2', '-g1', '-fPIC', '-fno-exceptions', '-fno-rtti', '-Wall', '-Wextra', '-Werror'],
  // Designated initialisers name what differs; the rest is meant to be its default.
  ...['-Wno-missing-field-initializers', '-D_GNU_SOURCE', '-D_FILE_OFFSET_BITS=64', `-DSING_VERSION="${version}"`],
];
const fuse = ['-isystem', '/usr/include/fuse3'];

const sourcesOf = (folder) => globSync(join(source, folder, '*.cc')).sort();
const objectOf = (file, variant = 'plain') =>
  join(objects, variant, `${relative(addon, file).replace(/^\.\.\//, '').replaceAll('/', '_')}.o`);

/** Compiles every source of the folders and returns tasks and objects. */
function unit(folders, flags, variant) {
  const files = folders.flatMap(sourcesOf);
  const tasks = files.map((file) =>
    compile({ compiler: CXX, source: file, output: objectOf(file, variant), flags }),
  );
  return { tasks, objects: tasks.map((task) => task.output) };
}

function need(path, packageName) {
  if (existsSync(path)) return;
  throw new Error(`Expected ${path} (Debian and Ubuntu: apt-get install ${packageName}), got nothing there`);
}

/** Makes the planner's bundle anew; the copy that is compiled changes only when its content does. */
function plannerBundle() {
  const made = spawnSync(process.execPath, [join(root, 'scripts/build-planner.mjs'), '--minify'], { stdio: 'inherit' });
  if (made.status !== 0) throw new Error('Expected scripts/build-planner.mjs to bundle the planner, got a failure');
  const bundle = readFileSync(join(root, 'dist/planner/planner.js'), 'utf8').replace(/\n\/\/# sourceMappingURL=.*\n?$/, '\n');
  const copy = join(out, 'planner.js');
  if (!existsSync(copy) || readFileSync(copy, 'utf8') !== bundle) writeFileSync(copy, bundle);
  return copy;
}

/** The shell for images that have none: Debian's static busybox, which is a shell when it is called `sh`. */
function copyShell() {
  const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
  if (!busybox) throw new Error('Expected /bin/busybox (Debian and Ubuntu: apt-get install busybox-static), got nothing there');
  const bytes = readFileSync(busybox);
  if (bytes.includes('/ld-linux')) {
    throw new Error(`Expected a static program in ${busybox} (apt-get install busybox-static), got a dynamic one`);
  }
  const shell = join(out, 'sh');
  if (existsSync(shell) && readFileSync(shell).equals(bytes)) return;
  copyFileSync(busybox, `${shell}.new`);
  renameSync(`${shell}.new`, shell);
}

async function build() {
  mkdirSync(out, { recursive: true });
  need('/usr/include/squashfuse/ll.h', 'libsquashfuse-dev');
  need('/usr/include/fuse3/fuse_lowlevel.h', 'libfuse3-dev');
  const engineSource = await quickjsSources({ cache: join(root, '.cache/quickjs'), buildFolder: out });
  const engineFlags = ['-O2', '-g1', '-fPIC', '-w', '-D_GNU_SOURCE', '-std=gnu11', '-DNDEBUG'];
  const engine = ['quickjs', 'libregexp', 'libunicode', 'dtoa'].map((name) =>
    compile({ compiler: C, source: join(engineSource, `${name}.c`), output: join(objects, 'engine', `${name}.o`), flags: engineFlags }),
  );
  const engineObjects = engine.map((task) => task.output);
  const engineInclude = ['-isystem', engineSource];

  const core = unit(['core', 'host'], [...cxxFlags, ...hardening]);
  const squash = unit(['squash'], [...cxxFlags, ...hardening, ...fuse]);
  const planner = unit(['planner'], [...cxxFlags, ...hardening, ...engineInclude]);
  const program = unit(['sing'], [...cxxFlags, ...hardening]);
  const tool = compile({
    compiler: CXX,
    source: join(addon, 'tools/compile_planner.cc'),
    output: join(objects, 'tool', 'compile_planner.o'),
    flags: ['-std=c++20', '-O1', ...engineInclude],
  });
  const bundle = plannerBundle();
  const headers = join(root, 'node_modules', `node-linux-${process.arch}`, 'include/node');
  const bindingFlags = [
    ...cxxFlags,
    ...['-isystem', headers, '-isystem', join(root, 'node_modules/node-addon-api')],
    ...['-DNAPI_VERSION=9', '-DNAPI_DISABLE_CPP_EXCEPTIONS', '-DNODE_ADDON_API_DISABLE_DEPRECATED', '-fvisibility=hidden'],
  ];
  const binding = unit(['binding'], bindingFlags);
  let ran = await make([...engine, ...core.tasks, ...squash.tasks, ...planner.tasks, ...program.tasks, tool, ...binding.tasks]);

  const compilePlanner = join(out, 'compile_planner');
  ran += await make([link({ compiler: CXX, objects: [tool.output, ...engineObjects], output: compilePlanner, flags: [], libraries: ['-lm', '-lpthread'] })]);
  const bytecode = join(out, 'planner.bytecode');
  ran += await make([{ output: bytecode, inputs: [bundle, compilePlanner], command: [compilePlanner, bundle, `${bytecode}.new`] }]);
  const embedded = compile({
    compiler: C,
    source: join(source, 'planner/bytecode.S'),
    output: join(objects, 'plain', 'bytecode.o'),
    flags: [`-DPLANNER_BYTECODE="${bytecode}"`],
  });
  embedded.inputs.push(bytecode);
  ran += await make([embedded]);

  const squashLibraries = ['-lsquashfuse_ll', '-lsquashfuse', '-lfuse3', '-lz', '-llzma', '-llzo2', '-llz4', '-lzstd', '-lm', '-lpthread', '-ldl'];
  const singObjects = [...program.objects, ...planner.objects, ...core.objects, ...squash.objects, ...engineObjects, embedded.output];
  const staticFlags = ['-static-pie', '-O2', '-Wl,--gc-sections', '-Wl,-z,relro,-z,now'];
  ran += await make([
    link({ compiler: CXX, objects: singObjects, output: join(out, 'sing'), flags: staticFlags, libraries: squashLibraries }),
    link({
      compiler: CXX,
      objects: [...binding.objects, ...core.objects.filter((path) => !/execute|images|sources|steps|launch/.test(basename(path)))],
      output: join(out, 'binding.node'),
      flags: ['-shared', '-static-libstdc++', '-static-libgcc', '-Wl,--gc-sections', '-Wl,-z,relro,-z,now'],
    }),
  ]);
  if (withTests) ran += await buildTests(squashLibraries);
  copyShell();
  console.log(`addon/build: ${ran === 0 ? 'up to date' : `${ran} steps`}`);
}

/** The unit tests of core, host and squash, everything of ours compiled with the sanitizers. */
async function buildTests(libraries) {
  const sanitize = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer'];
  const flags = [...cxxFlags.filter((flag) => flag !== '-O2'), '-O1', ...sanitize, ...fuse];
  const { tasks, objects: all } = unit(['core', 'host', 'squash', 'tests'], flags, 'sanitized');
  const ran = await make(tasks);
  const test = link({ compiler: CXX, objects: all, output: join(out, 'core-tests'), flags: sanitize, libraries });
  return ran + (await make([test]));
}

// One build at a time: several people and programs may ask for it in one checkout.
if (process.env.SING_BUILD_LOCKED === '1') {
  await build().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
} else {
  mkdirSync(out, { recursive: true });
  const locked = spawnSync('flock', [join(out, '.lock'), process.execPath, resolve(self), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, SING_BUILD_LOCKED: '1' },
  });
  if (locked.error) console.error('Expected the program flock (package util-linux), got none');
  process.exitCode = locked.status ?? 1;
}

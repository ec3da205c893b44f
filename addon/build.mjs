/**
 * Builds the native part into addon/build: `sing` (static), the shell beside it and the module of Node; with the word `tests` (or SANITIZE=1)
 * also the test program, with address and undefined-behaviour checks. What is up to date is left alone. See addon/README.md.
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, relative } from 'node:path';
import { compile, link, make } from './tools/compile.mjs';
import { quickjsSources } from './tools/quickjs.mjs';
import { addon, C, CXX, flags, need, out, root, source, squashLibraries } from './tools/settings.mjs';

const objects = join(out, 'objects');
const withTests = process.argv.includes('tests') || process.env.SANITIZE === '1';
const tell = (line) => process.stdout.write(`${line}\n`);

/** Tasks and objects for every source of the folders. */
function unit(folders, wanted, variant = 'plain') {
  const tasks = folders.flatMap((folder) =>
    readdirSync(join(source, folder))
      .filter((name) => name.endsWith('.cc'))
      .sort()
      .map((name) => join(source, folder, name))
      .map((file) => {
        const output = join(objects, variant, `${relative(source, file).replaceAll('/', '_')}.o`);
        return compile({ compiler: CXX, source: file, output, flags: wanted });
      }),
  );
  return { tasks, objects: tasks.map((task) => task.output) };
}

/** Makes the planner's bundle anew; the copy that is compiled changes only when its content does. */
function plannerBundle() {
  const script = join(root, 'scripts/build-planner.mjs');
  const made = spawnSync(process.execPath, [script, '--minify'], { stdio: 'inherit' });
  if (made.status !== 0) throw new Error(`Expected ${script} to bundle the planner, got a failure`);
  const bundle = readFileSync(join(root, 'dist/planner/planner.js'), 'utf8').replace(
    /\n\/\/# sourceMappingURL=.*\n?$/,
    '\n',
  );
  const copy = join(out, 'planner.js');
  if (!existsSync(copy) || readFileSync(copy, 'utf8') !== bundle) writeFileSync(copy, bundle);
  return copy;
}

/** The shell for images that have none: the distribution's static busybox, which is a shell when it is called `sh`. */
function copyShell() {
  const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path)) ?? '/bin/busybox';
  need(busybox, 'busybox-static');
  const bytes = readFileSync(busybox);
  if (bytes.includes('/ld-linux'))
    throw new Error(
      `Expected a static program in ${busybox} (Debian and Ubuntu: apt-get install busybox-static), got a dynamic one`,
    );
  const shell = join(out, 'sh');
  if (existsSync(shell) && readFileSync(shell).equals(bytes)) return;
  copyFileSync(busybox, `${shell}.new`);
  renameSync(`${shell}.new`, shell);
}

/** The engine's objects, and the planner's bytecode as an object. */
async function buildPlanner() {
  const sources = await quickjsSources({ cache: join(root, '.cache/quickjs'), buildFolder: out });
  const engine = ['quickjs', 'libregexp', 'libunicode', 'dtoa'].map((name) =>
    compile({
      compiler: C,
      source: join(sources, `${name}.c`),
      output: join(objects, 'engine', `${name}.o`),
      flags: flags.engine,
    }),
  );
  const engineObjects = engine.map((task) => task.output);
  const toolSource = join(addon, 'tools/compile_planner.cc');
  const tool = compile({
    compiler: CXX,
    source: toolSource,
    output: join(objects, 'tool/compile_planner.o'),
    flags: flags.tool,
  });
  let ran = await make([...engine, tool]);
  const compiler = join(out, 'compile_planner');
  const toolObjects = [tool.output, ...engineObjects];
  ran += await make([
    link({
      compiler: CXX,
      objects: toolObjects,
      output: compiler,
      flags: [],
      libraries: ['-lm', '-lpthread'],
    }),
  ]);
  const bundle = plannerBundle();
  const planner = await embed(compiler, bundle, 'planner');
  // The golden plans with their hosts of values, for the test of the engine.
  const golden = withTests
    ? await embed(compiler, join(root, 'dist/planner/golden.js'), 'golden')
    : undefined;
  return {
    ran: ran + planner.ran + (golden?.ran ?? 0),
    objects: [...engineObjects, planner.object],
    golden: golden === undefined ? undefined : [...engineObjects, golden.object],
  };
}

/** The bytecode of a bundle as an object that the engine's host finds by its symbols. */
async function embed(compiler, bundle, name) {
  const bytecode = join(out, `${name}.bytecode`);
  let ran = await make([
    { output: bytecode, inputs: [bundle, compiler], command: [compiler, bundle, `${bytecode}.new`] },
  ]);
  const task = compile({
    compiler: C,
    source: join(source, 'planner/bytecode.S'),
    output: join(objects, name === 'planner' ? 'plain/bytecode.o' : `plain/${name}-bytecode.o`),
    flags: [`-DPLANNER_BYTECODE="${bytecode}"`],
  });
  task.inputs.push(bytecode);
  ran += await make([task]);
  return { ran, object: task.output };
}

/** A program with the engine in it that has evaluated the planner already. */
function withState(stage, output) {
  const tool = join(addon, 'tools/state.mjs');
  return { output, inputs: [stage, tool], command: [process.execPath, tool, stage, `${output}.new`] };
}

/** The unit tests of core, host and squash, and the program that makes hostile plans: everything of ours compiled with the sanitizers. */
async function buildTests() {
  const parts = unit(['core', 'host', 'programs', 'squash'], flags.tests, 'sanitized');
  const programs = ['tests', 'fuzz'].map((folder) => ({
    ...unit([folder], flags.tests, 'sanitized'),
    output: join(out, `core-${folder}`),
  }));
  const ran = await make([parts, ...programs].flatMap(({ tasks }) => tasks));
  const linked = programs.map(({ objects, output }) =>
    link({
      compiler: CXX,
      objects: [...parts.objects, ...objects],
      output,
      flags: flags.testProgram,
      libraries: squashLibraries,
    }),
  );
  return ran + (await make(linked));
}

async function build() {
  need('/usr/include/squashfuse/ll.h', 'libsquashfuse-dev');
  need('/usr/include/fuse3/fuse_lowlevel.h', 'libfuse3-dev');
  const planner = await buildPlanner();
  const core = unit(['core', 'host'], flags.core);
  const squash = unit(['squash'], flags.squash);
  const programs = unit(['programs'], flags.core);
  const engineHost = unit(['planner'], flags.planner);
  const program = unit(['sing'], flags.core);
  const binding = unit(['binding'], flags.binding);
  let ran =
    planner.ran +
    (await make([core, squash, programs, engineHost, program, binding].flatMap(({ tasks }) => tasks)));
  // The module of Node answers questions and becomes the program: what makes containers stays out of it.
  const questions = core.objects.filter(
    (path) => !/_(execute|images|layers|sources|steps)\.cc/.test(basename(path)),
  );
  const place = compile({
    compiler: C,
    source: join(source, 'planner/state.S'),
    output: join(objects, 'plain/state.o'),
    flags: flags.state,
  });
  ran += await make([place]);
  const finished = [['sing', planner.objects]];
  if (planner.golden !== undefined) finished.push(['sing-golden', planner.golden]);
  /** The program as it is linked, which makes the engine that it keeps. */
  const stage = (name) => join(objects, `plain/${name}-without-state`);
  const linked = ([name, bytecode]) =>
    link({
      compiler: CXX,
      objects: [
        ...[program, engineHost, core, squash, programs].flatMap((part) => part.objects),
        place.output,
        ...bytecode,
      ],
      output: stage(name),
      flags: flags.program,
      libraries: squashLibraries,
      // libfuse can load modules; nothing here asks it to.
      expected: /fuse_get_module|Using 'dlopen' in statically linked/,
    });
  ran += await make([
    ...finished.map(linked),
    link({
      compiler: CXX,
      objects: [...binding.objects, ...questions],
      output: join(out, 'binding.node'),
      flags: flags.module,
    }),
  ]);
  ran += await make(finished.map(([name]) => withState(stage(name), join(out, name))));
  if (withTests) ran += await buildTests();
  copyShell();
  tell(ran === 0 ? 'addon/build is up to date' : `addon/build: ${ran} steps`);
}

/** One build at a time: several people and programs may ask for it in one checkout. */
function buildUnderLock() {
  mkdirSync(out, { recursive: true });
  const command = [join(out, '.lock'), process.execPath, ...process.argv.slice(1)];
  const env = { ...process.env, SING_BUILD_LOCKED: '1' };
  const { error, status } = spawnSync('flock', command, { stdio: 'inherit', env });
  if (error) process.stderr.write('Expected the program flock (package util-linux), got none\n');
  process.exitCode = status ?? 1;
}

if (process.env.SING_BUILD_LOCKED === '1') {
  await build().catch((error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  });
} else {
  buildUnderLock();
}

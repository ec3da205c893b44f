/** A small incremental compiler driver: what is up to date is left alone, the rest runs on every core. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';

const modified = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity;

/** The files that the compiler's dependency file names (Make syntax, without its first word). */
function dependencies(path) {
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, 'utf8').replaceAll('\\\n', ' ');
  return text
    .slice(text.indexOf(':') + 1)
    .trim()
    .split(/(?<!\\)\s+/)
    .map((name) => name.replaceAll('\\ ', ' '));
}

/** True when `output` was made by this very command and no input is newer. */
function fresh(task) {
  const stamp = `${task.output}.cmd`;
  if (!existsSync(task.output) || !existsSync(stamp)) return false;
  if (readFileSync(stamp, 'utf8') !== JSON.stringify(task.command)) return false;
  const inputs = [...task.inputs, ...(task.depfile ? (dependencies(task.depfile) ?? ['/nonexistent']) : [])];
  const made = modified(task.output);
  return inputs.every((input) => modified(input) <= made);
}

function execute(task) {
  return new Promise((resolve, reject) => {
    const [program, ...args] = task.command;
    execFile(program, args, { maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      const said = `${stdout}${stderr}`;
      if (!error) return resolve(said);
      if (error.code === 'ENOENT') {
        return reject(new Error(`Expected the program ${program} to build ${task.output}, got none`));
      }
      reject(new Error(`Failed to make ${task.output}\n${task.command.join(' ')}\n${said || error.message}`));
    });
  });
}

/**
 * Runs the tasks that are not up to date, as many at a time as there are cores, and says how many ran.
 * A task is `{ output, inputs, command, depfile? }`; its command writes `<output>.new`, which replaces `output` when
 * it is complete, so that a killed build never leaves half a file that looks finished.
 */
export async function make(tasks) {
  const waiting = tasks.filter((task) => !fresh(task));
  const count = waiting.length;
  const worker = async () => {
    for (let task = waiting.shift(); task; task = waiting.shift()) {
      mkdirSync(dirname(task.output), { recursive: true });
      rmSync(`${task.output}.cmd`, { force: true });
      const said = (await execute(task))
        .split('\n')
        .filter((line) => !task.expected?.test(line))
        .join('\n')
        .trim();
      renameSync(`${task.output}.new`, task.output);
      writeFileSync(`${task.output}.cmd`, JSON.stringify(task.command));
      if (said) process.stderr.write(`${said}\n`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return count;
}

/** A task that compiles one source file; the compiler itself lists the headers it read. */
export function compile({ compiler, source, output, flags }) {
  const depfile = `${output}.d`;
  const command = [compiler, ...flags, '-MD', '-MF', depfile, '-c', source, '-o', `${output}.new`];
  return { output, inputs: [source], depfile, command };
}

/** A task that links objects and libraries into `output`. Lines that match `expected` are not repeated to the reader. */
export function link({ compiler, objects, output, flags, libraries = [], expected }) {
  const command = [compiler, ...flags, ...objects, ...libraries, '-o', `${output}.new`];
  return { output, inputs: objects, command, expected };
}

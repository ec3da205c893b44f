import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export interface Script {
  readonly child: ChildProcess;
  /** The lines that it has printed so far. */
  readonly lines: readonly string[];
  /** Resolves with the first line, old or new, that the test accepts. Rejects when the script ends before. */
  line(accept: (line: string) => boolean): Promise<string>;
  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/** Runs `test/support/<name>` (TypeScript, from our sources) as a process of its own. */
export function startScript(name: string, args: readonly string[]): Script {
  const child = spawn(
    process.execPath,
    [
      '--conditions=source',
      '--experimental-transform-types',
      '--disable-warning=ExperimentalWarning',
      `--import=${here('./typescript-hooks.mjs')}`,
      here(`./${name}`),
      ...args,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const lines: string[] = [];
  const asking = new Set<() => void>();
  let errors = '';
  let over = false;
  const tell = (): void => {
    for (const ask of asking) ask();
  };
  createInterface(child.stdout).on('line', (line) => {
    lines.push(line);
    tell();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('close', () => {
    process.off('exit', kill);
    over = true;
    tell();
  });
  const gone = once(child, 'close');
  return {
    child,
    lines,
    line: (accept) =>
      new Promise((resolve, reject) => {
        const ask = (): void => {
          const found = lines.find(accept);
          if (found !== undefined) resolve(found);
          else if (over) reject(new Error(`${name} ended without that line: ${errors}`));
          else return;
          asking.delete(ask);
        };
        asking.add(ask);
        ask();
      }),
    end: async (signal) => {
      child.kill(signal);
      await gone;
    },
  };
}

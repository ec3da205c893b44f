import { execFile } from 'node:child_process';
import { access, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where test servers and clients are kept once they are built: outside the checkout, shared by all checkouts. */
export function testCache(): string {
  const base = process.env['XDG_CACHE_HOME'];
  return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'scs-test');
}

/**
 * The path of a program in the cache, built first when it is not there. `script` is run by bash in an empty folder and
 * leaves the program there under its name; two test runs at once build it once.
 * @throws Error with what the build printed
 */
export async function cachedProgram(name: string, version: string, script: string): Promise<string> {
  const folder = join(testCache(), `${name}-${version}`);
  const program = join(folder, name);
  const there = (): Promise<boolean> =>
    access(program).then(
      () => true,
      () => false,
    );
  if (await there()) return program;
  await mkdir(folder, { recursive: true });
  const build = `
    set -eu
    if [ -e "$2" ]; then exit 0; fi
    work=$(mktemp -d "$1/build-XXXXXX")
    trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
    cd "$work"
    ${script}
    mv "$3" "$2"`;
  const lock = join(folder, 'lock');
  await run('flock', [lock, 'bash', '-c', build, 'bash', folder, program, name], {
    maxBuffer: 64 * 1024 * 1024,
    timeout: 20 * 60 * 1000,
  });
  if (!(await there())) throw new Error(`The build of ${name} ${version} left no program at ${program}`);
  return program;
}

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';

export interface ChunkOptions {
  /** Folder of the chunks. */
  readonly folder: string;
  /** Folder of their compiled code; undefined: everything is compiled here. */
  readonly compiled: string | undefined;
  /** Told of each chunk that is loaded. */
  readonly loaded?: (name: string, script: Script) => void;
}

type Require = (name: string) => unknown;

/**
 * Gives a function that loads a chunk of a bundle (CommonJS) by its file name and returns what it exports.
 *
 * Compiled code comes from the folder that the build wrote and from nowhere else, and nothing is ever written there: whoever
 * could put code elsewhere, in a home for example, could give root code to run. Node's own cache of compiled code has a folder
 * for each user, so that only who built the program would have one. Code that another version of Node compiled is not used.
 * A chunk's name holds the hash of its text, and both folders are made anew by each build, so that text and code belong together.
 */
export function chunkLoader({ folder, compiled, loaded }: ChunkOptions): Require {
  const modules = new Map<string, { exports: unknown }>();
  let others: Require | undefined;

  const load = (name: string): unknown => {
    const known = modules.get(name);
    if (known !== undefined) return known.exports;
    const filename = join(folder, name);
    const cachedData = compiled === undefined ? undefined : readOptional(join(compiled, name));
    const script = new Script(
      `(function(exports,require,module,__filename,__dirname){${readFileSync(filename, 'utf8')}\n})`,
      {
        filename,
        ...(cachedData === undefined ? {} : { cachedData }),
      },
    );
    loaded?.(name, script);
    // Entered before it runs: chunks may need each other.
    const module = { exports: {} };
    modules.set(name, module);
    script.runInThisContext()(module.exports, request, module, filename, folder);
    return module.exports;
  };

  const request: Require = (name) => {
    if (name.startsWith('./')) return load(name.slice(2));
    return process.getBuiltinModule(name) ?? (others ??= createRequire(join(folder, 'chunk.cjs')))(name);
  };

  return request;
}

function readOptional(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

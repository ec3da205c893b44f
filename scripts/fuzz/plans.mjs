import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { plans } from '../soak/containers.mjs';
import { randomFrom } from '../soak/random.mjs';
import { temporaryFolder } from '../soak/temporary.mjs';
import { writeCorpus } from './corpus.mjs';

const PROGRAM = new URL('../../addon/build/core-fuzz', import.meta.url).pathname;
/** The largest plan there may be, as text and as values, and some of it a second time. */
const MOST_MEMORY = 1024;

/** Changed plans are read by the core, compiled with the checks of the compiler. @returns what was done, in words @throws Error that says what went wrong */
export function readPlans({ seconds, seed, failures }) {
  return withProgram(({ path }) => {
    writeCorpus(path);
    mkdirSync(failures, { recursive: true });
    return call(['read', path, seed, seconds, failures]);
  });
}

/** One plan, for example one that failed. */
export const readPlan = (file) => withProgram(() => call(['file', file]));

/** Changed plans are started in a world of their own. */
export function startPlans({ seconds, seed, failures }) {
  return withProgram(async ({ path }) => {
    try {
      return await plans({ times: seconds, folder: path, random: randomFrom(seed) });
    } catch (error) {
      const failed = join(path, 'failed.json');
      if (!existsSync(failed)) throw error;
      const kept = join(failures, `started-${seed}.json`);
      mkdirSync(failures, { recursive: true });
      copyFileSync(failed, kept);
      throw new Error(`${error.message}\nThe plan is in ${kept}`, { cause: error });
    }
  });
}

async function withProgram(work) {
  if (!existsSync(PROGRAM)) throw new Error(`Expected ${PROGRAM}: npm run build:native -- tests`);
  const folder = await temporaryFolder();
  try {
    return await work(folder);
  } finally {
    await folder.remove();
  }
}

function call(words) {
  const env = {
    ASAN_OPTIONS: `hard_rss_limit_mb=${MOST_MEMORY}:quarantine_size_mb=16:handle_abort=1:detect_leaks=1`,
    UBSAN_OPTIONS: 'print_stacktrace=1',
  };
  const { status, signal, stdout, stderr } = spawnSync(PROGRAM, words.map(String), { encoding: 'utf8', env });
  if (status !== 0) throw new Error(`${stderr}(ended with ${signal ?? status})`);
  return stdout.trim();
}

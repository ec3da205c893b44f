import { fileURLToPath } from 'node:url';
import { environment } from '#libs/config';
import { DomainError } from '#libs/core';
import { run } from './run.js';
import { start, startInForeground } from './start.js';
import { stop } from './stop.js';

process.umask(0o077);
const self = fileURLToPath(import.meta.url);
const [verb, flag] = process.argv.slice(2);
const foreground = flag === '--foreground';

/** Called by scripts/up (`start`), scripts/down (`stop`) and by itself, with the lock held (`run`). */
try {
  if (verb === 'start')
    await (foreground ? startInForeground(environment(), self) : start(environment(), self));
  else if (verb === 'run') await run(environment(), foreground);
  else if (verb === 'stop') await stop(environment());
  else
    throw new DomainError(
      'bad_request',
      'Expected start, run or stop; scripts/up and scripts/down call this program',
    );
} catch (error) {
  if (!(error instanceof DomainError)) throw error;
  process.stderr.write(`${error.message}\n${error.remedy === undefined ? '' : `${error.remedy}\n`}`);
  process.exitCode = 1;
}

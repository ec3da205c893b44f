import { existsSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// Everything else starts from compiled code that the build put beside the bundle. Only there: whoever could write it
// elsewhere, in a home for example, could give root code to run.
const compiled = join(import.meta.dirname, 'compiled');
if (existsSync(compiled)) enableCompileCache(compiled);

const [{ runProgram }, { sing }] = await Promise.all([import('#libs/cli'), import('./program.js')]);
await runProgram(sing);

import { runProgram } from '#libs/cli';
import { scs } from './program.js';

await runProgram(scs);

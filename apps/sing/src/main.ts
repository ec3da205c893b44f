import { runProgram } from '#libs/cli';
import { sing } from './program.js';

await runProgram(sing);

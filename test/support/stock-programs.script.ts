/** Builds the stock programs for `npm run soak -- --only stock-programs`, unless they are there, and prints where they are as JSON. */
import { stockPrograms } from './stock-programs.js';

process.stdout.write(`${JSON.stringify(await stockPrograms())}\n`);

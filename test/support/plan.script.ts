import { readFileSync } from 'node:fs';
import { startPlan, type LaunchPlan } from '#libs/runtime';

// Starts the plan in a file, and says what its commands say.
const started = startPlan(JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as LaunchPlan);
started.stdout.pipe(process.stdout);

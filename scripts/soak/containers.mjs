import { inOwnWorld } from './own-world.mjs';

const MAIN = new URL('./containers/main.mjs', import.meta.url).pathname;

/** Starts of containers in every way, in a row and at once: none fails, and nothing is left. */
export const starts = (options) => stage('starts', options);

/** Starts in which somebody is killed at any moment: the next one works, what was kept is there, and nothing is left. */
export const startKills = (options) => stage('start-kills', options);

/** Starts of hostile plans: none changes what it may not, and nothing is left. `times`: seconds. */
export const plans = (options) => stage('plans', options);

const stage = (name, { times, folder, random }) =>
  inOwnWorld([MAIN, name, folder, String(times), String(random.between(0, 2 ** 31))]);

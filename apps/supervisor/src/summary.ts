import { join, relative } from 'node:path';
import { ADMINISTRATOR, type Endpoint, type ScsConfig } from '#libs/config';

/** What `up` says when an instance runs: where it is, how to get in, what to type next. */
export function summary(config: ScsConfig, notes: readonly string[]): string {
  const standard = join(config.installFolder, '.scs');
  const prefix = config.home === standard ? '' : `SCS_HOME=${quote(shorten(config.home))} `;
  const facts: readonly (readonly [string, string])[] = [
    ['address', config.publicUrl],
    ['account', `${ADMINISTRATOR}, password in ${shorten(join(config.home, 'admin.password'))}`],
    ['token', shorten(join(config.home, 'admin.token'))],
    ...(config.tls.caFile === undefined ? [] : [['authority', shorten(config.tls.caFile)] as const]),
    ['logs', shorten(config.logFolder)],
  ];
  const lines = facts.map(([name, value]) => `  ${name.padEnd(10)} ${value}`);
  const next = [
    './bin/sing remote status',
    `./bin/sing key newpair --name "Your Name" --email you@example.org --password ''`,
    './bin/sing build --remote hello.sif examples/hello.def',
    './bin/sing exec hello.sif cat /etc/os-release',
    './scripts/down',
  ].map((line) => `  ${prefix}${line}`);
  return [
    `SCS ${config.version} runs.`,
    ...lines,
    ...notes.map((note) => `  ${'note'.padEnd(10)} ${note}`),
    'What to type next:',
    ...next,
    '',
  ].join('\n');
}

/** What `up` says when there is nothing to start; `current` tells whether what runs is what was built last. */
export function alreadyRunning(config: ScsConfig, { pid, url }: Endpoint, current: boolean): string {
  const advice = current
    ? 'Stop it with ./scripts/down.'
    : 'It was started before the last build. To run what was built: ./scripts/down && ./scripts/up';
  return `Already running in ${config.home} (process ${pid}): ${url}\n${advice}\n`;
}

/** A path as a word of a shell. */
function quote(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}

/** A path as one would type it in the working directory. */
function shorten(path: string): string {
  const short = relative(process.cwd(), path);
  return short !== '' && !short.startsWith('..') ? short : path;
}

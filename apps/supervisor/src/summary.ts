import { join, relative } from 'node:path';
import { ADMINISTRATOR, type ScsConfig } from '#libs/config';

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

/** A path as a word of a shell. */
function quote(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}

/** A path as one would type it in the working directory. */
function shorten(path: string): string {
  const short = relative(process.cwd(), path);
  return short !== '' && !short.startsWith('..') ? short : path;
}

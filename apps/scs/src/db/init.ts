import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { defineCommand, jsonFlag, type Surroundings } from '#libs/cli';
import { ADDRESSED, type AddressedService, parseMongoUrl, withDatabaseAuthority } from '#libs/config';
import { DomainError, expected } from '#libs/core';
import { homeOf } from '../instance.js';
import { addressOf, settingOf, store } from './addresses.js';

export const dbInit = defineCommand({
  name: 'init',
  summary: 'make a MongoDB user and database for each service',
  description:
    'Each service gets a user of its own that may read and write its own database and nothing else; then it signs in as each and ' +
    'proves it. Addresses with new passwords are written to a folder, one file for each service, and the settings that name them are ' +
    'printed. What a setting (SCS_AUTH_DATABASE_URL …) or a file of an earlier run says is kept, so it can be run again.\n\n' +
    'The address of the administrator has the form mongodb://user:password@host/?tls=true; somebody with the role ' +
    'userAdminAnyDatabase will do. SCS_DATABASE_CA_FILE names the authority of the server.',
  flags: {
    'admin-url-file': {
      type: 'string',
      value: 'FILE',
      env: ['DB_ADMIN_URL_FILE'],
      summary: "read the administrator's address from the first line of a file; - is standard input",
    },
    folder: {
      type: 'string',
      value: 'FOLDER',
      summary: 'where addresses with passwords are kept; database in SCS_HOME when absent',
    },
    service: {
      type: 'list',
      value: 'SERVICE',
      commas: true,
      summary: `of these services only: ${ADDRESSED.join(', ')}`,
    },
    prefix: {
      type: 'string',
      value: 'NAME',
      default: 'scs',
      summary: 'what names of users and databases begin with',
    },
    'dry-run': { type: 'boolean', summary: 'change nothing, and print what would be done, for mongosh' },
    ...jsonFlag,
  },
  examples: [
    {
      line: 'scs db init --dry-run',
      summary: 'what somebody else may type into mongosh, when the database is not yours to change',
    },
    {
      line: 'scs db init --admin-url-file admin.url >> scs.env',
      summary: 'make users and databases, and add the settings that name them',
    },
  ],
  async run(ctx) {
    const { flags, log, out } = ctx;
    const dryRun = flags['dry-run'];
    const services = chosen(flags.service);
    if (!/^[a-z][a-z0-9_-]{0,30}$/.test(flags.prefix))
      throw new DomainError(
        'bad_request',
        expected('lower-case letters, digits, _ and -', '--prefix', flags.prefix),
      );
    const admin = await administrator(ctx, flags['admin-url-file'], dryRun);
    const caFile = ctx.env.get('SCS_DATABASE_CA_FILE');
    const folder =
      flags.folder === undefined ? join(homeOf(ctx), 'database') : resolve(ctx.cwd, flags.folder);
    const options = { admin, prefix: flags.prefix, folder };
    const addresses = await Promise.all(services.map((service) => addressOf(service, ctx, options)));
    if (!dryRun) for (const address of addresses) if (address.fresh) await store(address);
    const { initDatabases } = await import('./databases.store.js');
    const steps = await initDatabases({
      admin: admin === undefined ? undefined : withDatabaseAuthority(admin, caFile),
      accounts: addresses.map(({ service, url }) => ({ service, url: withDatabaseAuthority(url, caFile) })),
      dryRun,
    });
    const files = new Map(addresses.map(({ service, file }) => [service as string, file]));
    if (flags.json) {
      out.json({ databases: steps.map((step) => ({ ...step, file: files.get(step.service) ?? null })) });
      return;
    }
    for (const { service, database, user, change, line } of steps) {
      const file = files.get(service);
      const verb = change === 'create' ? 'made' : 'brought up to date';
      if (dryRun) out.line(line);
      else log.info(`${service}: user ${user} ${verb}, with rights on the database ${database} alone`);
      if (file === undefined)
        log.info(`${service}: its address is in ${settingOf(service as AddressedService)}`);
      else if (!dryRun) out.line(`${settingOf(service as AddressedService)}_FILE=${file}`);
    }
    if (dryRun) log.info('Nothing was changed. Each service needs the password of its user in its address.');
  },
});

function chosen(names: readonly string[]): readonly AddressedService[] {
  const unknown = names.find((name) => !(ADDRESSED as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw new DomainError('bad_request', expected(ADDRESSED.join(', '), '--service', unknown));
  return names.length === 0 ? ADDRESSED : ADDRESSED.filter((service) => names.includes(service));
}

async function administrator(
  { cwd, stdin }: Surroundings,
  file: string | undefined,
  dryRun: boolean,
): Promise<string | undefined> {
  if (file === undefined) {
    if (dryRun) return undefined;
    throw new DomainError('bad_request', 'Expected the address of an administrator of the database', {
      reason: 'no_administrator',
      remedy: '--admin-url-file FILE, or - for standard input; --dry-run prints what to do instead',
    });
  }
  const text = file === '-' ? await readAll(stdin) : await readFile(resolve(cwd, file), 'utf8');
  const [line = ''] = text.trim().split(/\r?\n/, 1);
  if (parseMongoUrl(line) !== undefined) return line;
  throw new DomainError('bad_request', `Expected a mongodb:// address in the first line of ${file}`, {
    reason: 'bad_database_url',
    remedy: 'mongodb://user:password@host/?tls=true, with @ : / % in a password written as %40 %3A %2F %25',
  });
}

const MAXIMUM_BYTES = 16 * 1024;

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) {
    text += String(chunk);
    if (text.length > MAXIMUM_BYTES) break;
  }
  return text;
}

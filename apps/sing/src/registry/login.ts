import { defineCommand, type Surroundings } from '#libs/cli';
import { DomainError } from '#libs/core';
import { libraryFlags } from '../image/library.js';
import { changeAuthFile } from './auth-file.js';
import { registryFlags } from './flags.js';
import { registryHost } from './host.js';
import { warnUnencrypted, withRegistryHost } from './open.js';

/** Longest name and password that are taken. */
const MAXIMUM = 32 * 1024;

export const registryLogin = defineCommand({
  name: 'login',
  summary: 'store a password for a registry after checking it',
  description:
    'It is kept where singularity keeps it, in docker-config.json of ~/.singularity, readable for nobody else, and used by pull, push and whatever fetches oras:// images. A password that the registry does not accept is not stored.',
  positionals: [{ name: 'registry', summary: 'oras://host[:port] or docker://host[:port]' }],
  flags: {
    username: { type: 'string', short: 'u', value: 'NAME', summary: 'name at the registry' },
    password: {
      type: 'string',
      short: 'p',
      value: 'PASSWORD',
      summary: 'password or token; others on this machine can see it: better with --password-stdin',
    },
    'password-stdin': { type: 'boolean', summary: 'read the password from standard input' },
    authfile: registryFlags.authfile,
    'no-https': { ...libraryFlags['no-https'], summary: 'the registry has no TLS' },
  },
  examples: [
    { line: 'sing registry login oras://ghcr.io', summary: 'ask for name and password' },
    {
      line: 'sing registry login -u ann --password-stdin oras://registry.example.org:5000 <token',
      summary: 'in a script',
    },
  ],
  async run(ctx) {
    const { args, flags, log, signal } = ctx;
    const host = await registryHost(args.registry);
    const credentials = {
      username: await usernameOf(ctx, host, flags.username),
      password: await passwordOf(ctx, flags),
    };
    const noHttps = flags['no-https'];
    const check = await withRegistryHost(ctx, { host, noHttps }, async (options) => {
      const { checkLogin } = await import('#libs/oci');
      warnUnencrypted(ctx, options.http.baseUrl);
      return checkLogin(options, credentials, signal);
    });
    if (check === 'refused')
      throw new DomainError('unauthorized', `${host} does not accept this name and password`, {
        reason: 'invalid_credentials',
        remedy:
          'Nothing was stored. Many registries want a token that is made on their pages instead of the password',
      });
    if (check === 'unasked')
      log.warning(`${host} asks nobody who they are: whether the password is right is not known`);
    const path = await changeAuthFile(ctx, flags.authfile, (file) => file.with(host, credentials));
    log.info(`Logged in to ${host}; the password is stored in ${path}`);
  },
});

async function usernameOf(
  { prompts }: Surroundings,
  host: string,
  given: string | undefined,
): Promise<string> {
  const name = given ?? (await prompts.text({ message: `Name at ${host}`, flag: '--username NAME' }));
  // "empty user/password → 255" (runtime contract §1.6); a colon ends the name in what is sent (RFC 7617).
  if (name !== '' && name.length <= MAXIMUM && !/[:\p{Cc}]/u.test(name)) return name;
  throw new DomainError('bad_request', 'Expected a name without colons', { reason: 'bad_username' });
}

async function passwordOf(
  { prompts, stdin }: Surroundings,
  flags: { readonly password: string | undefined; readonly 'password-stdin': boolean },
): Promise<string> {
  if (flags['password-stdin'] && flags.password !== undefined)
    throw new DomainError('bad_request', 'The password is given twice', {
      reason: 'bad_password',
      exitCode: 1,
    });
  let text = flags.password;
  if (flags['password-stdin']) {
    text = '';
    for await (const chunk of stdin) {
      text += String(chunk);
      if (text.length > MAXIMUM) break;
    }
    text = text.replace(/\r?\n$/, '');
  }
  text ??= await prompts.password({ message: 'Password or token', flag: '--password-stdin', fromPipe: true });
  if (text !== '' && text.length <= MAXIMUM && !/\p{Cc}/u.test(text)) return text;
  throw new DomainError('bad_request', 'Expected a password of one line', { reason: 'bad_password' });
}

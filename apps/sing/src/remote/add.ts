import { defineCommand, type Surroundings, UsageError } from '#libs/cli';
import { DomainError, expected } from '#libs/core';
import { changeGlobalFile, changeRemoteFile } from '../remotes/remote-file.js';
import { forgetAuthorities, keepAuthorities, readAuthorities } from '../remotes/authority.js';
import { frontendOf, LOCAL, listRemotes, remoteNamed, uriForFile } from '../remotes/remotes.js';
import { globalFlag } from './global.js';
import { logIn, tokenFlags } from './token.js';

export const remoteAdd = defineCommand({
  name: 'add',
  summary: 'add a remote, log in and use it from now on',
  positionals: [
    { name: 'name', summary: 'how you call it' },
    { name: 'address', summary: 'host name or https:// address of its front end' },
  ],
  flags: {
    insecure: {
      type: 'boolean',
      short: 'i',
      env: ['ADD_INSECURE'],
      summary: 'speak plain HTTP to its front end',
    },
    ca: {
      type: 'string',
      value: 'FILE',
      summary: 'trust the authorities in this PEM file for it, besides all others',
    },
    'no-default': {
      type: 'boolean',
      short: 'n',
      aliases: ['not-default'],
      summary: 'do not use it from now on',
    },
    'no-login': { type: 'boolean', summary: 'do not log in' },
    ...globalFlag,
    ...tokenFlags,
  },
  examples: [
    { line: 'sing remote add lab https://scs.lab.example.org', summary: 'add a site and log in' },
    {
      line: 'sing remote add --ca scs-ca.pem lab https://scs.lab.example.org',
      summary: 'add a site with an authority of its own',
    },
    {
      line: 'sing remote add --no-login lab https://scs.lab.example.org:8443',
      summary: 'add a site on another port; log in later',
    },
  ],
  async run(ctx) {
    const { args, flags, log } = ctx;
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(args.name)) {
      throw new DomainError(
        'bad_request',
        expected('letters, digits, ".", "_" and "-"', 'a name', args.name),
      );
    }
    if (args.name === LOCAL) {
      throw new DomainError('conflict', `${LOCAL} is the name of the instance on this machine`, {
        reason: 'reserved_name',
        remedy: 'Choose another name',
      });
    }
    const uri = uriForFile(args.address, flags.insecure);
    if (flags.global) {
      await addForAll(ctx, args.name, uri, flags);
      return;
    }
    if ((await listRemotes(ctx)).remotes.some(({ name }) => name === args.name)) throw taken(args.name);
    const pem = flags.ca === undefined ? undefined : await readAuthorities(ctx, flags.ca, '--ca');
    await changeRemoteFile(ctx, (file) => {
      if (file.get(args.name) !== undefined) throw taken(args.name);
      const added = file.with(args.name, { uri, insecure: flags.insecure });
      return flags['no-default'] ? added : added.withActive(args.name);
    });
    // A file of an earlier remote of that name says nothing about this one.
    await forgetAuthorities(ctx, args.name);
    const frontend = frontendOf({ uri, insecure: flags.insecure });
    if (pem !== undefined && frontend !== undefined)
      await keepAuthorities(ctx, { name: args.name, frontend }, pem);
    log.info(`Remote "${args.name}" added.`);
    if (!flags['no-default']) log.info(`"${args.name}" is used from now on.`);
    if (flags['no-login']) return;
    await logIn(ctx, remoteNamed((await listRemotes(ctx)).remotes, args.name), flags);
  },
});

/** "Global option detected. Will not automatically log into remote": everybody reads that file, and a token is one person's. */
async function addForAll(
  { log }: Surroundings,
  name: string,
  uri: string,
  flags: { readonly insecure: boolean; readonly 'no-default': boolean; readonly ca: string | undefined },
): Promise<void> {
  if (flags.ca !== undefined) {
    throw new UsageError('remote add', '--ca is for a remote of your own', {
      remedy: 'Put the authority into the store of this machine: update-ca-certificates',
    });
  }
  await changeGlobalFile((file) => {
    if (file.get(name) !== undefined) throw taken(name);
    const added = file.with(name, { uri, insecure: flags.insecure, system: true });
    return flags['no-default'] ? added : added.withActive(name);
  });
  log.info(
    `Remote "${name}" added for all users. Everybody logs in for themselves: sing remote login ${name}`,
  );
}

function taken(name: string): DomainError {
  return new DomainError('conflict', `A remote named ${name} exists already`, {
    reason: 'exists',
    remedy: `Remove it first: sing remote remove ${name}`,
  });
}

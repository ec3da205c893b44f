import { defineCommand } from '#libs/cli';
import { DomainError } from '#libs/core';
import { buildFlags, NOT_OFFERED } from './flags.js';

export const build = defineCommand({
  name: 'build',
  summary: 'build an image from a definition file, an image or a reference',
  description: `Builds run without privilege on this machine, or at the remote with --remote.
With --remote, files that %files names are sent along; everything else happens at the remote. Ctrl-C cancels the build there. With --detached the build goes on by itself; the image is then in the library.`,
  positionals: [
    {
      name: 'image',
      summary:
        'SIF file to make, or folder with --sandbox; with --remote also library://entity/collection/container:tag',
    },
    { name: 'source', summary: 'definition file, image, folder, or library://…' },
  ],
  flags: buildFlags,
  examples: [
    { line: 'sing build hello.sif hello.def', summary: 'build here' },
    { line: 'sing build --remote hello.sif hello.def', summary: 'build at the remote and fetch the image' },
    { line: 'sing build --sandbox hello hello.sif', summary: 'a folder that can be changed' },
    {
      line: 'sing build --remote --detached library://admin/demo/hello:2 hello.def',
      summary: 'build at the remote into the library, without waiting',
    },
  ],
  async run(ctx) {
    const { flags } = ctx;
    for (const name of NOT_OFFERED) {
      const value = flags[name];
      if (value === true || typeof value === 'string' || (Array.isArray(value) && value.length > 0)) {
        throw new DomainError('not_implemented', `build --${name} is not offered by this version`, {
          reason: 'not_offered',
          remedy:
            name === 'update'
              ? 'Make another folder from it: sing build --sandbox NEW DEFINITION, which says bootstrap: localimage and from: FOLDER'
              : 'Build a SIF file without it',
        });
      }
    }
    const isRemote = flags.remote || flags.builder !== undefined;
    if (isRemote && flags.sandbox) {
      const { buildRemoteSandbox } = await import('./remote-sandbox.js');
      await buildRemoteSandbox(ctx, { output: ctx.args.image, source: ctx.args.source, flags });
      return;
    }
    if (isRemote) {
      const { buildRemotely } = await import('./remote.js');
      await buildRemotely(ctx, { output: ctx.args.image, source: ctx.args.source, flags });
      return;
    }
    if (flags.detached) {
      throw new DomainError('bad_request', '--detached goes with --remote only', {
        exitCode: 1,
        remedy: 'Add --remote, or leave --detached out',
      });
    }
    const { buildLocally } = await import('./local.js');
    await buildLocally(ctx, { output: ctx.args.image, source: ctx.args.source, flags });
  },
});

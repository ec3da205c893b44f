import { defineCommand } from '#libs/cli';
import { DomainError, expected, parseLibraryReference } from '#libs/core';
import { goArchitecture } from '../session.js';
import { archFlag, libraryFlags, withLibrary } from './library.js';
import { orLibrary } from './transport.js';

export const deleteImage = defineCommand({
  name: 'delete',
  summary: 'delete an image from the library, with all its tags',
  positionals: [{ name: 'image', summary: 'library://entity/collection/container:tag' }],
  flags: {
    arch: { ...archFlag.arch, short: 'A' },
    force: { type: 'boolean', short: 'F', env: ['FORCE'], summary: 'do not ask' },
    ...libraryFlags,
  },
  examples: [{ line: 'sing delete --force library://admin/demo/hello:1', summary: 'without a question' }],
  async run(ctx) {
    const { flags, args, prompts, log, signal } = ctx;
    const image = orLibrary(args.image);
    if (!image.startsWith('library://')) {
      throw new DomainError('bad_request', expected('library://…', 'the image', image), {
        reason: 'invalid_reference',
      });
    }
    const reference = parseLibraryReference(image);
    const arch = flags.arch ?? goArchitecture();
    const choice = { library: flags.library, host: reference.host, noHttps: flags['no-https'] };
    await withLibrary(ctx, choice, async (library, session) => {
      session.requireToken();
      if (!flags.force) {
        const message = `Delete ${image} for ${arch} from the library?`;
        if (!(await prompts.confirm({ message, flag: '--force', fromPipe: true }))) {
          log.info('Nothing was deleted.');
          return;
        }
      }
      const [tag = 'latest'] = reference.tags;
      await library.delete({ path: reference.names.join('/'), tag, arch }, { signal });
      log.info(`Image ${image} (${arch}) was deleted.`);
    });
  },
});

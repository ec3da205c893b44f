import { defineCommand, jsonFlag } from '#libs/cli';
import { DomainError } from '#libs/core';
import { withInstance } from '../instance.js';

export const orgAdd = defineCommand({
  name: 'add',
  summary: 'make an organisation with its first owner',
  description:
    'The name is also the library entity of the organisation, and is taken for good. Owners manage members and robots and do everything a writer does.',
  positionals: [{ name: 'name', summary: 'lower-case letters, digits and single . _ - between them' }],
  flags: {
    owner: { type: 'string', value: 'USER', summary: 'the first owner' },
    'display-name': { type: 'string', value: 'NAME', summary: 'name as people write it' },
    ...jsonFlag,
  },
  examples: [{ line: 'scs org add --owner alice physics', summary: 'alice manages physics' }],
  async run(ctx) {
    const { owner } = ctx.flags;
    const displayName = ctx.flags['display-name'];
    if (owner === undefined)
      throw new DomainError('bad_request', 'Expected a first owner', {
        remedy: 'Name a user: --owner alice',
      });
    const organisation = await withInstance(ctx, ({ auth }) =>
      auth().organisations.create({
        name: ctx.args.name,
        owner,
        ...(displayName === undefined ? {} : { displayName }),
      }),
    );
    ctx.log.info(`Made the organisation ${organisation.name}; ${owner} owns it`);
    if (ctx.flags.json) ctx.out.json({ organisations: [organisation] });
  },
});

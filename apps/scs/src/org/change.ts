import { defineCommand, jsonFlag } from '#libs/cli';
import { DomainError } from '#libs/core';
import { isYes, YES_NO } from '../flags.js';
import { withInstance } from '../instance.js';
import { readSignIn, signInFlags } from '../passwords.js';

export const orgChange = defineCommand({
  name: 'change',
  summary: 'change the display name of an organisation, or disable it',
  description:
    'What is not given stays as it is. In a disabled organisation nobody has a role, robots included, until it is enabled again; its images stay. Disabling is for administrators.',
  positionals: [{ name: 'name', summary: 'the organisation' }],
  flags: {
    'display-name': { type: 'string', value: 'NAME', summary: 'name as people write it' },
    disabled: {
      type: 'string',
      value: 'YES|NO',
      choices: YES_NO,
      summary: 'whether nobody has a role in it: yes or no',
    },
    ...signInFlags,
    ...jsonFlag,
  },
  examples: [
    {
      line: 'scs org change --disabled yes physics',
      summary: 'end what its members and robots may do there',
    },
    { line: 'scs org change --as alice --display-name "Physics" physics', summary: 'as an owner' },
  ],
  async run(ctx) {
    const { disabled } = ctx.flags;
    const displayName = ctx.flags['display-name'];
    if (disabled === undefined && displayName === undefined)
      throw new DomainError('bad_request', 'Expected something to change', {
        remedy: 'Give --display-name or --disabled',
      });
    const signIn = await readSignIn(ctx, ctx.flags);
    const organisation = await withInstance(ctx, ({ auth }) =>
      auth(signIn).organisations.change(ctx.args.name, {
        ...(displayName === undefined ? {} : { displayName }),
        ...(disabled === undefined ? {} : { disabled: isYes(disabled) }),
      }),
    );
    ctx.log.info(`Changed the organisation ${organisation.name}`);
    if (ctx.flags.json) ctx.out.json({ organisations: [organisation] });
  },
});

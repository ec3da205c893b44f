import { type Command, defineCommand, jsonFlag } from '#libs/cli';
import { withInstance } from '../instance.js';

function switchCommand(name: string, summary: string, example: string, disabled: boolean): Command {
  return defineCommand({
    name,
    summary,
    positionals: [{ name: 'username', summary: 'the account' }],
    flags: jsonFlag,
    examples: [{ line: `scs user ${name} alice`, summary: example }],
    async run(ctx) {
      const { username } = ctx.args;
      const user = await withInstance(ctx, ({ auth }) => auth().changeUser(username, { disabled }));
      ctx.log.info(`The account ${user.username} is ${user.disabled ? 'disabled' : 'enabled'}`);
      if (ctx.flags.json) ctx.out.json({ users: [user] });
    },
  });
}

export const userDisable = switchCommand(
  'disable',
  'refuse an account and all its tokens',
  'end what alice may do, everywhere within a second',
  true,
);
export const userEnable = switchCommand(
  'enable',
  'take a disabled account again, with its tokens',
  'give it back; sessions have ended',
  false,
);

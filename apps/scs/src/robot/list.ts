import { defineCommand, jsonFlag } from '#libs/cli';
import { withInstance } from '../instance.js';
import { readSignIn, signInFlags } from '../passwords.js';
import { mark } from '../print.js';

export const robotList = defineCommand({
  name: 'list',
  summary: 'list the robots of an organisation',
  positionals: [{ name: 'organisation', summary: 'the organisation' }],
  flags: { ...signInFlags, ...jsonFlag },
  examples: [{ line: 'scs robot list physics', summary: 'with their roles' }],
  async run(ctx) {
    const signIn = await readSignIn(ctx, ctx.flags);
    const robots = await withInstance(ctx, ({ auth }) =>
      auth(signIn).organisations.robots(ctx.args.organisation),
    );
    if (ctx.flags.json) {
      ctx.out.json({ robots });
      return;
    }
    ctx.out.table(
      ['ROBOT', 'DISPLAY NAME', 'ROLE', 'DISABLED', 'CREATED'],
      robots.map((robot) => [
        robot.username,
        robot.displayName,
        robot.role,
        mark(robot.disabled),
        robot.createdAt,
      ]),
    );
  },
});

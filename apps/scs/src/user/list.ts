import { defineCommand, jsonFlag } from '#libs/cli';
import { withInstance } from '../instance.js';
import { mark } from '../print.js';

export const userList = defineCommand({
  name: 'list',
  summary: 'list the accounts',
  flags: jsonFlag,
  examples: [{ line: 'scs user list --json', summary: 'for programs' }],
  async run(ctx) {
    const users = await withInstance(ctx, ({ auth }) => auth().users());
    if (ctx.flags.json) {
      ctx.out.json({ users });
      return;
    }
    ctx.out.table(
      ['USERNAME', 'DISPLAY NAME', 'E-MAIL', 'ADMINISTRATOR', 'DISABLED', 'CREATED'],
      users.map((user) => [
        user.username,
        user.displayName,
        user.email,
        mark(user.administrator),
        mark(user.disabled),
        user.createdAt,
      ]),
    );
  },
});

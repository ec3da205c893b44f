import { defineCommand, jsonFlag } from '#libs/cli';
import { RobotRole } from '#libs/contract';
import { withInstance } from '../instance.js';
import { readSignIn, signInFlags } from '../passwords.js';
import { parseRobot } from './name.js';

export const robotAdd = defineCommand({
  name: 'add',
  summary: 'make a robot of an organisation',
  description:
    'A robot is an account for machines: it belongs to the organisation and not to a person, has one role there, and no password. Its tokens are made with scs token create --robot.',
  positionals: [{ name: 'robot', summary: 'organisation.name; the second part has no dot' }],
  flags: {
    role: {
      type: 'string',
      value: 'ROLE',
      choices: RobotRole.options,
      default: 'writer',
      summary: 'writer or reader',
    },
    'display-name': { type: 'string', value: 'NAME', summary: 'name as people write it' },
    ...signInFlags,
    ...jsonFlag,
  },
  examples: [
    { line: 'scs robot add physics.ci', summary: 'for the builds of physics' },
    { line: 'scs robot add --as alice --role reader physics.deploy', summary: 'by an owner' },
  ],
  async run(ctx) {
    const { organisation, name } = parseRobot(ctx.args.robot);
    const displayName = ctx.flags['display-name'];
    const signIn = await readSignIn(ctx, ctx.flags);
    const robot = await withInstance(ctx, ({ auth }) =>
      auth(signIn).organisations.createRobot(organisation, {
        name,
        role: RobotRole.parse(ctx.flags.role),
        ...(displayName === undefined ? {} : { displayName }),
      }),
    );
    ctx.log.info(`Made the robot ${robot.username}, ${robot.role} of ${robot.organisation}`);
    if (ctx.flags.json) ctx.out.json({ robots: [robot] });
  },
});

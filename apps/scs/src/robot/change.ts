import { type Command, defineCommand, jsonFlag } from '#libs/cli';
import { RobotRole } from '#libs/contract';
import { DomainError } from '#libs/core';
import { withInstance } from '../instance.js';
import { readSignIn, signInFlags } from '../passwords.js';
import { parseRobot } from './name.js';

const positionals = [{ name: 'robot', summary: 'organisation.name' }] as const;

export const robotChange = defineCommand({
  name: 'change',
  summary: 'change the role or the display name of a robot',
  positionals,
  flags: {
    role: { type: 'string', value: 'ROLE', choices: RobotRole.options, summary: 'writer or reader' },
    'display-name': { type: 'string', value: 'NAME', summary: 'name as people write it' },
    ...signInFlags,
    ...jsonFlag,
  },
  examples: [{ line: 'scs robot change --role reader physics.ci', summary: 'it pushes no more' }],
  async run(ctx) {
    const { organisation, name } = parseRobot(ctx.args.robot);
    const { role } = ctx.flags;
    const displayName = ctx.flags['display-name'];
    if (role === undefined && displayName === undefined)
      throw new DomainError('bad_request', 'Expected something to change', {
        remedy: 'Give --role or --display-name',
      });
    const signIn = await readSignIn(ctx, ctx.flags);
    const robot = await withInstance(ctx, ({ auth }) =>
      auth(signIn).organisations.changeRobot(organisation, name, {
        ...(role === undefined ? {} : { role: RobotRole.parse(role) }),
        ...(displayName === undefined ? {} : { displayName }),
      }),
    );
    ctx.log.info(`Changed the robot ${robot.username}`);
    if (ctx.flags.json) ctx.out.json({ robots: [robot] });
  },
});

function switchCommand(name: string, summary: string, example: string, disabled: boolean): Command {
  return defineCommand({
    name,
    summary,
    positionals,
    flags: { ...signInFlags, ...jsonFlag },
    examples: [{ line: `scs robot ${name} physics.ci`, summary: example }],
    async run(ctx) {
      const robot = parseRobot(ctx.args.robot);
      const signIn = await readSignIn(ctx, ctx.flags);
      const changed = await withInstance(ctx, ({ auth }) =>
        auth(signIn).organisations.changeRobot(robot.organisation, robot.name, { disabled }),
      );
      ctx.log.info(`The robot ${changed.username} is ${changed.disabled ? 'disabled' : 'enabled'}`);
      if (ctx.flags.json) ctx.out.json({ robots: [changed] });
    },
  });
}

export const robotDisable = switchCommand(
  'disable',
  'refuse a robot and all its tokens',
  'end what it may do, everywhere within a second',
  true,
);
export const robotEnable = switchCommand(
  'enable',
  'take a disabled robot again, with its tokens',
  'give it back',
  false,
);

import { defineCommand, defineGroup, type AnyContext, type Command, type Positional } from '#libs/cli';
import { INSTANCE_FLAGS } from '#libs/runtime';
import { flagsOf } from '../action/flags.js';
import { becomeNative } from '../action/native.js';

const image: Positional = { name: 'image', summary: 'SIF file, folder, library://…, oras://… or https://…' };
const name: Positional = { name: 'name', summary: 'name of the instance: letters, digits, ".", "_" and "-"' };
const words: Positional = {
  name: 'arguments',
  summary: 'arguments of the script',
  rest: true,
  optional: true,
};

async function start(ctx: AnyContext, verb: keyof typeof STARTS): Promise<number> {
  const { startAction } = await import('../action/start.js');
  const behind = [ctx.args['image'], ctx.args['name'], ctx.args['arguments'] ?? []].flat().map(String);
  return startAction(ctx, {
    verbs: ['instance', verb],
    flagWords: ctx.argv.slice(0, ctx.argv.length - behind.length),
    image: behind[0] ?? '',
    rest: behind.slice(1),
    flags: ctx.flags,
  });
}

/** The native program answers these itself; this process is asked only when it was started in another way. */
function native(ctx: AnyContext, verb: string): Promise<never> {
  return becomeNative(ctx, ['instance', verb, ...ctx.argv]);
}

/** What the two commands that start an instance say of themselves; everything else of them is the same. */
const STARTS = {
  start: {
    summary: 'start an instance: the startscript of the image in the background',
    description:
      'The instance has a name, a PID namespace of its own, and logs. It runs until it is stopped, or until its script fails. Programs join it by ' +
      'instance://NAME in place of an image.',
    examples: [
      { line: 'sing instance start db.sif db', summary: 'start a server of an image' },
      { line: 'sing exec instance://db ps', summary: 'run a program beside it' },
      { line: 'sing instance start --pid-file db.pid db.sif db 5432', summary: 'with an argument' },
    ],
  },
  run: {
    summary: 'start an instance with the runscript of the image',
    description: 'As sing instance start, with what sing run would do.',
    examples: [{ line: 'sing instance run web.sif web', summary: 'run an image in the background' }],
  },
} as const;

function startCommand(verb: keyof typeof STARTS): Command {
  return defineCommand({
    name: verb,
    ...STARTS[verb],
    positionals: [image, name, words],
    flags: flagsOf(INSTANCE_FLAGS[verb]),
    run: (ctx) => start(ctx, verb),
  });
}

const instanceList: Command = defineCommand({
  name: 'list',
  summary: 'list instances that run',
  positionals: [{ name: 'pattern', summary: 'name, or a pattern as in a shell', optional: true }],
  flags: flagsOf(INSTANCE_FLAGS.list),
  examples: [
    { line: 'sing instance list', summary: 'all of them' },
    { line: "sing instance list --logs 'web*'", summary: 'where some of them write to' },
  ],
  run: (ctx) => native(ctx, 'list'),
});

const instanceStop: Command = defineCommand({
  name: 'stop',
  summary: 'stop instances',
  description:
    'Sends a signal to the script, and kills everything in the instance when it is still there after the time.',
  positionals: [{ name: 'pattern', summary: 'name, or a pattern as in a shell', optional: true }],
  flags: flagsOf(INSTANCE_FLAGS.stop),
  examples: [
    { line: 'sing instance stop db', summary: 'stop one' },
    { line: 'sing instance stop --all --signal TERM --timeout 60', summary: 'stop all, with more time' },
  ],
  run: (ctx) => native(ctx, 'stop'),
});

const instanceStats: Command = defineCommand({
  name: 'stats',
  summary: 'show what an instance uses',
  positionals: [name],
  flags: flagsOf(INSTANCE_FLAGS.stats),
  examples: [{ line: 'sing instance stats --no-stream --json db', summary: 'once, for a program' }],
  run: (ctx) => native(ctx, 'stats'),
});

export const instanceGroup = defineGroup({
  name: 'instance',
  summary: 'containers in the background',
  commands: [startCommand('start'), startCommand('run'), instanceList, instanceStop, instanceStats],
});

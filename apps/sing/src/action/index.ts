import { defineCommand, type Command, type Example, type Positional } from '#libs/cli';
import type { Verb } from '#libs/runtime';
import { actionFlags } from './flags.js';

const image: Positional = {
  name: 'image',
  summary: 'SIF file, folder, library://…, oras://…, https://… or instance://…',
};

interface Texts {
  readonly summary: string;
  readonly positionals: readonly Positional[];
  readonly examples: readonly Example[];
}

const texts: Record<Verb, Texts> = {
  exec: {
    summary: 'run a command in a container',
    positionals: [image, { name: 'command', summary: 'program and its arguments', rest: true }],
    examples: [
      { line: 'sing exec hello.sif cat /etc/os-release', summary: 'run a program of the image' },
      {
        line: 'sing exec oras://ghcr.io/ann/hello:1 true',
        summary: 'fetch an image from a registry and run it',
      },
      { line: 'sing exec -B /data:/mnt hello.sif ls /mnt', summary: 'with a folder of this machine' },
    ],
  },
  run: {
    summary: 'do what the image is for: its runscript',
    positionals: [
      image,
      { name: 'arguments', summary: 'arguments of the runscript', rest: true, optional: true },
    ],
    examples: [{ line: 'sing run library://admin/demo/hello:1', summary: 'fetch an image and run it' }],
  },
  shell: {
    summary: 'work inside a container',
    positionals: [
      image,
      { name: 'arguments', summary: 'arguments of the shell', rest: true, optional: true },
    ],
    examples: [{ line: 'sing shell hello.sif', summary: 'look around' }],
  },
  test: {
    summary: 'run the tests of an image',
    positionals: [image, { name: 'arguments', summary: 'arguments of the test', rest: true, optional: true }],
    examples: [],
  },
};

/**
 * The verbs that start something. The native program answers them itself and comes here only for images that have to be
 * fetched first, and for help.
 */
export const actionCommands: readonly Command[] = (['exec', 'run', 'shell', 'test'] as const).map((verb) =>
  defineCommand({
    name: verb,
    ...texts[verb],
    description:
      'Flags stand before the image; everything behind it belongs to the program in the container. Its exit status is passed on.',
    flags: actionFlags(verb),
    async run(ctx) {
      const { startAction } = await import('./start.js');
      const words = [ctx.args['image'], ctx.args['command'] ?? ctx.args['arguments']].flat();
      return startAction(ctx, {
        verbs: [verb],
        flagWords: ctx.argv.slice(0, ctx.argv.length - words.length),
        image: String(words[0]),
        rest: words.slice(1).map(String),
        flags: ctx.flags,
      });
    },
  }),
);

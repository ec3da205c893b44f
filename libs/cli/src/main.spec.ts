import { describe, expect, it } from 'vitest';
import { DomainError } from '#libs/core';
import { defineCommand, defineGroup, defineProgram } from './command.js';
import { Interrupted } from './failures.js';
import { generatedCommands } from './generated.js';
import { run } from './testing/run.js';

const exec = defineCommand({
  name: 'exec',
  summary: 'run a command in an image',
  positionals: [
    { name: 'image', summary: 'image' },
    { name: 'command', summary: 'command', rest: true },
  ],
  flags: {
    contain: { type: 'boolean', short: 'C', env: ['CONTAIN'], summary: 'contain' },
    ipc: { type: 'boolean', short: 'i', summary: 'new IPC namespace' },
    pid: { type: 'boolean', short: 'p', summary: 'new PID namespace' },
    bind: {
      type: 'list',
      short: 'B',
      value: 'SPEC',
      commas: true,
      env: ['BIND', 'BINDPATH'],
      envAdds: true,
      summary: 'bind a path',
    },
    cwd: { type: 'string', value: 'DIR', aliases: ['pwd'], env: ['CWD'], summary: 'start folder' },
    memory: { type: 'integer', value: 'N', minimum: 1, maximum: 100, summary: 'limit' },
    size: { type: 'string', value: 'S', default: 'small', choices: ['small', 'large'], summary: 'size' },
  },
  run: ({ flags, args, out }) => out.json({ flags, args }),
});

const tag = defineCommand({
  name: 'tag',
  summary: 'take flags anywhere',
  positionals: [
    { name: 'image', summary: 'image' },
    { name: 'name', summary: 'name' },
  ],
  flags: {
    force: { type: 'boolean', short: 'f', summary: 'force' },
    note: { type: 'string', value: 'TEXT', summary: 'note' },
  },
  flagsAnywhere: true,
  run: ({ flags, args, out }) => out.json({ flags, args }),
});

const show = defineCommand({
  name: 'show',
  summary: 'fail in a chosen way',
  flags: { json: { type: 'boolean', summary: 'as JSON' } },
  failureStatus: 2,
  positionals: [{ name: 'how', summary: 'what happens', optional: true }],
  async run({ args, signal, log }) {
    log.info('working');
    log.verbose('working hard');
    switch (args.how) {
      case 'known':
        throw new DomainError('not_found', 'No key matches', { remedy: 'Import it first' });
      case 'status':
        throw new DomainError('not_found', 'No key matches', { exitCode: 10 });
      case 'bug':
        throw new TypeError('undefined is not a function');
      case 'wait':
        await new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('socket closed')));
        });
        break;
      case undefined:
      default:
        return 7;
    }
    return 0;
  },
});

const program = defineProgram({
  name: 'tool',
  version: '1.2.3',
  summary: 'a tool for tests',
  prefixes: ['SING', 'SINGULARITY'],
  commands: [
    exec,
    tag,
    defineGroup({ name: 'key', aliases: ['keys'], summary: 'work with keys', commands: [show] }),
    ...generatedCommands('tool'),
  ],
  notYet: { mount: 'Run it with exec' },
});

const flagsOf = async (argv: string[], env: Record<string, string> = {}) => {
  const { stdout, stderr } = await run(program, argv, { env });
  expect(stderr).toBe('');
  return (JSON.parse(stdout) as { flags: Record<string, unknown> }).flags;
};

describe('the grammar', () => {
  it('stops reading flags at the first positional argument', async () => {
    const { stdout } = await run(program, ['exec', '-p', 'img', 'ls', '-l', '--cwd=/x']);
    expect(JSON.parse(stdout)).toMatchObject({
      flags: { pid: true },
      args: { image: 'img', command: ['ls', '-l', '--cwd=/x'] },
    });
  });

  it('ends flags at two dashes', async () => {
    const { stdout } = await run(program, ['exec', '--', '-img', '--']);
    expect(JSON.parse(stdout)).toMatchObject({ args: { image: '-img', command: ['--'] } });
  });

  it('takes joined short flags, attached values, and false for booleans', async () => {
    expect(await flagsOf(['exec', '-Cip', '-B/a:/b', '--bind', '/c,/d', '--pid=false', 'i', 'c'])).toEqual({
      contain: true,
      ipc: true,
      pid: false,
      bind: ['/a:/b', '/c', '/d'],
      size: 'small',
    });
  });

  it('takes flags behind arguments where a verb says so, until --', async () => {
    const { stdout } = await run(program, ['tag', 'i', '--note', 'x', 'n', '-f']);
    expect(JSON.parse(stdout)).toEqual({
      flags: { force: true, note: 'x' },
      args: { image: 'i', name: 'n' },
    });
    const ended = await run(program, ['tag', '--', '-f', '--note']);
    expect(JSON.parse(ended.stdout)).toEqual({
      flags: { force: false },
      args: { image: '-f', name: '--note' },
    });
    expect((await run(program, ['tag', 'i', '--bogus', 'n'])).stderr).toContain('unknown flag: --bogus');
  });

  it('takes a value that begins with a dash', async () => {
    expect(await flagsOf(['exec', '--cwd', '-x', 'i', 'c'])).toMatchObject({ cwd: '-x' });
  });

  it('takes other names of a flag', async () => {
    expect(await flagsOf(['exec', '--pwd=/w', 'i', 'c'])).toMatchObject({ cwd: '/w' });
  });

  it.each([
    [['exec', '--nope', 'i', 'c'], 'Error for command "exec": unknown flag: --nope'],
    [['exec', '-d', 'i', 'c'], `Error for command "exec": unknown shorthand flag: 'd' in -d`],
    [['exec', '-iz', 'i', 'c'], `unknown shorthand flag: 'z' in -iz`],
    [['exec', '--cwd'], 'flag needs an argument: --cwd'],
    [['exec', '--pid=yes', 'i', 'c'], 'Expected true or false for --pid, got "yes"'],
    [['exec', '--memory', '0', 'i', 'c'], 'Expected a whole number from 1 to 100 for --memory, got "0"'],
    [['exec', '--memory', '1e1', 'i', 'c'], 'Expected a whole number from 1 to 100 for --memory'],
    [['exec', '--size', 'huge', 'i', 'c'], 'Expected one of small, large for --size, got "huge"'],
    [['exec', 'i'], 'missing argument: command'],
    [['key', 'show', 'a', 'b'], 'too many arguments: b'],
    [['key', 'lose'], 'unknown command "lose" for "tool key"'],
    [['bogus'], 'Error for command "tool": unknown command "bogus" for "tool"'],
    [
      ['mount'],
      'Error for command "tool": tool does not offer the command "mount" yet\n         Run it with exec',
    ],
    [['constructor'], 'unknown command "constructor" for "tool"'],
    [['--bogus', 'exec'], 'unknown flag: --bogus'],
  ])('refuses %j with status 1 and a sentence', async (argv, message) => {
    const { status, stderr, stdout } = await run(program, argv);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^ERROR: {3}Error for command/);
    expect(status).toBe(1);
    expect(stdout).toBe('');
  });
});

describe('positional arguments', () => {
  const pull = defineCommand({
    name: 'pull',
    summary: 'fetch',
    positionals: [
      { name: 'file', summary: 'file', optional: true },
      { name: 'image', summary: 'image' },
    ],
    run: ({ args, out }) => out.json(args),
  });
  const fetching = { ...program, commands: [pull] };

  it('that are optional may stand in front', async () => {
    expect(JSON.parse((await run(fetching, ['pull', 'i'])).stdout)).toEqual({ image: 'i' });
    expect(JSON.parse((await run(fetching, ['pull', 'f', 'i'])).stdout)).toEqual({ file: 'f', image: 'i' });
    expect((await run(fetching, ['pull'])).stderr).toContain('missing argument: image');
    expect((await run(fetching, ['pull', 'a', 'b', 'c'])).stderr).toContain('too many arguments: c');
  });
});

describe('the environment', () => {
  it('fills in flags that the command line leaves out, our prefix first', async () => {
    const env = { SING_CWD: '/ours', SINGULARITY_CWD: '/theirs', SINGULARITY_CONTAIN: 'T', SING_MEMORY: '5' };
    expect(await flagsOf(['exec', 'i', 'c'], env)).toMatchObject({ cwd: '/ours', contain: true });
    expect(await flagsOf(['exec', '--cwd=/typed', '--contain=false', 'i', 'c'], env)).toMatchObject({
      cwd: '/typed',
      contain: false,
    });
  });

  it('adds binds of the environment to those of the command line', async () => {
    const env = { SINGULARITY_BINDPATH: '/e,/f' };
    expect(await flagsOf(['exec', '-B/a', 'i', 'c'], env)).toMatchObject({ bind: ['/a', '/e', '/f'] });
  });

  it('ignores an empty value', async () => {
    expect(await flagsOf(['exec', 'i', 'c'], { SING_CWD: '', SINGULARITY_CWD: '/t' })).toMatchObject({
      cwd: '/t',
    });
  });

  it('refuses a boolean that is none with 255, naming variable and flag', async () => {
    const { status, stderr } = await run(program, ['exec', 'i', 'c'], { env: { SING_CONTAIN: 'yes' } });
    expect(status).toBe(255);
    expect(stderr).toBe(
      'FATAL:   Expected true or false for SING_CONTAIN, got "yes" (the environment sets --contain)\n',
    );
  });
});

describe('help', () => {
  it.each([
    [['--help'], 'Global flags (before the command):'],
    [['help'], 'Commands:\n  exec'],
    [['help', 'exec'], 'Usage:\n  tool exec [flags] <image> <command...>'],
    [['exec', '--help'], '--size S'],
    [['exec', '-h'], '(one of small, large; default small)'],
    [['help', 'key'], 'tool key <command>'],
    [['key', '--help'], 'Aliases:\n  key, keys'],
    [['keys', 'show', '--help'], 'tool key show [flags] [how]'],
    [['help', 'bogus'], 'Unknown help topic: bogus'],
  ])('%j goes to standard output with status 0', async (argv, text) => {
    const { status, stdout, stderr } = await run(program, argv);
    expect(stdout).toContain(text);
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });

  it.each([[[]], [['key']]])('%j is a usage error: help on standard error, status 1', async (argv) => {
    const { status, stdout, stderr } = await run(program, argv);
    expect(stderr).toContain('Commands:');
    expect(stdout).toBe('');
    expect(status).toBe(1);
  });

  it('prints the version', async () => {
    expect(await run(program, ['--version'])).toMatchObject({ stdout: 'tool version 1.2.3\n', status: 0 });
  });
});

describe('failures', () => {
  it('are one sentence and a remedy, with the status of the command', async () => {
    const { status, stderr } = await run(program, ['key', 'show', 'known']);
    expect(stderr).toBe('INFO:    working\nFATAL:   No key matches\n         Import it first\n');
    expect(status).toBe(2);
  });

  it('may carry a status of their own', async () => {
    expect((await run(program, ['key', 'show', 'status'])).status).toBe(10);
  });

  it('are an object on standard error with --json, same status', async () => {
    const { status, stderr } = await run(program, ['-q', 'key', 'show', '--json', 'known']);
    expect(JSON.parse(stderr)).toEqual({
      error: {
        code: 'not_found',
        reason: 'not_found',
        message: 'No key matches',
        remedy: 'Import it first',
      },
    });
    expect(status).toBe(2);
  });

  it('are an object with --json also when another word is wrong', async () => {
    const { status, stderr } = await run(program, ['key', 'show', '--json', '--nope']);
    expect(JSON.parse(stderr)).toMatchObject({ error: { reason: 'usage', message: 'unknown flag: --nope' } });
    expect(status).toBe(1);
  });

  it('that are bugs apologise, and show the stack only with --debug', async () => {
    const short = await run(program, ['key', 'show', 'bug']);
    expect(short.status).toBe(255);
    expect(short.stderr).toContain('This is a bug in tool, sorry: undefined is not a function');
    expect(short.stderr).not.toContain('main.spec');
    const long = await run(program, ['--debug', 'key', 'show', 'bug']);
    expect(long.stderr).toContain('main.spec');
  });

  it('that come from an interruption are silent and end with the status of the signal', async () => {
    const controller = new AbortController();
    const running = run(program, ['key', 'show', 'wait'], { signal: controller.signal });
    controller.abort(new Interrupted('SIGINT'));
    expect(await running).toMatchObject({ status: 130, stderr: 'INFO:    working\n' });
  });

  it('pass on the status that a command returns', async () => {
    expect((await run(program, ['key', 'show'])).status).toBe(7);
  });
});

describe('message levels', () => {
  it.each([
    [['-q'], ''],
    [['-s'], ''],
    [['-v'], 'INFO:    working\nVERBOSE: working hard\n'],
    [[], 'INFO:    working\n'],
  ])('%j shows what belongs to it', async (flags, text) => {
    expect((await run(program, [...flags, 'key', 'show'])).stderr).toBe(text);
  });

  it('drop the colon and name user and process at debug level', async () => {
    const { stderr } = await run(program, ['-d', 'key', 'show']);
    expect(stderr).toMatch(/^INFO {4}\[U=0,P=0\] +working\n/);
  });
});

import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { promptsOn } from './prompts.js';

/** Questions to a program whose standard input is a pipe. */
function onPipe(signal = new AbortController().signal) {
  const input = new PassThrough();
  const output = new PassThrough();
  const streams = { input, output };
  return { input, output, prompts: promptsOn(() => streams, signal) };
}

const KEYS = {
  message: 'Which key?',
  flag: '--key',
  fromPipe: true,
  options: [
    { value: 'AAAA', label: 'Ann' },
    { value: 'BBBB', label: 'Bea' },
  ],
};
const SECRET = { message: 'Passphrase', flag: '--passphrase-file FILE', fromPipe: true };

it('lines of a pipe answer one question after the other, in however many pieces they come', async () => {
  const { input, output, prompts } = onPipe();
  input.write('1\r\nsec');
  expect(await prompts.select(KEYS)).toBe('BBBB');
  const secret = prompts.password(SECRET);
  input.end('ret word');
  expect(await secret).toBe('secret word');
  expect(String(output.read())).toBe('Which key?: \nPassphrase: \n');
});

it.each([
  ['y', true],
  ['Yes', true],
  ['n', false],
  ['NO', false],
  ['', false],
])('%j means %s', async (line, meant) => {
  const { input, prompts } = onPipe();
  input.end(`${line}\n`);
  expect(await prompts.confirm({ message: 'Delete it?', flag: '--force', fromPipe: true })).toBe(meant);
});

it('an answer that is none is refused', async () => {
  const { input, prompts } = onPipe();
  input.end('maybe\n2\n-1\n');
  const sure = { message: 'Delete it?', flag: '--force', fromPipe: true };
  await expect(prompts.confirm(sure)).rejects.toThrow(
    'Expected yes or no for the answer to "Delete it?", got "maybe"',
  );
  await expect(prompts.select(KEYS)).rejects.toThrow('Expected a number from 0 to 1');
  await expect(prompts.select(KEYS)).rejects.toThrow('Expected a number from 0 to 1');
});

it('an empty pipe answers nothing: the flag is named', async () => {
  const { input, prompts } = onPipe();
  input.end();
  await expect(prompts.password(SECRET)).rejects.toMatchObject({
    reason: 'not_a_terminal',
    remedy: 'Answer with --passphrase-file FILE',
  });
});

it('a question of our own leaves the pipe alone', async () => {
  const { input, prompts } = onPipe();
  input.end('y\n');
  await expect(prompts.confirm({ message: 'Push it?', flag: '--with-key' })).rejects.toMatchObject({
    reason: 'not_a_terminal',
  });
  expect(String(input.read())).toBe('y\n');
});

it('a line without end is not read for ever', async () => {
  const { input, prompts } = onPipe();
  input.write('x'.repeat(9000));
  await expect(prompts.password(SECRET)).rejects.toThrow('Expected a line of at most 8192 bytes');
});

it('an interruption ends the wait', async () => {
  const stop = new AbortController();
  const { prompts } = onPipe(stop.signal);
  const answer = prompts.password(SECRET);
  stop.abort(new Error('interrupted'));
  await expect(answer).rejects.toThrow('interrupted');
});

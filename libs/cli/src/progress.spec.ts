import { PassThrough } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { defineCommand, defineProgram } from './command.js';
import { main } from './main.js';
import { progressOn } from './progress.js';

const MIB = 1024 * 1024;

/** A stream that keeps what is written. */
function collector(isTTY: boolean) {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 100 });
  let text = '';
  stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return {
    stream,
    get text() {
      return text;
    },
  };
}

/** What stays on a terminal: lines, after erasing and moving about. */
function screen(text: string): string[] {
  const lines = [''];
  let saved = 0;
  let row = 0;
  let column = 0;
  for (const [piece] of text.matchAll(/\u001B\[?[\d;?]*[a-zA-Z78]|\n|\r|[^\u001B\n\r]+/g)) {
    if (piece === '\n') [row, column] = [row + 1, 0];
    else if (piece === '\r' || piece === '\u001B[1G') column = 0;
    else if (piece === '\u001B7') saved = row;
    else if (piece === '\u001B8') [row, column] = [saved, 0];
    else if (piece === '\u001B[0K') lines[row] = (lines[row] ?? '').slice(0, column);
    else if (piece === '\u001B[2K') lines[row] = '';
    else if (!piece.startsWith('\u001B')) {
      const line = (lines[row] ?? '').padEnd(column);
      lines[row] = line.slice(0, column) + piece + line.slice(column + piece.length);
      column += piece.length;
    }
    while (lines.length <= row) lines.push('');
  }
  return lines.filter((line) => line !== '');
}

describe('on a terminal', () => {
  it('is a bar with amount, rate and time left, which leaves nothing behind', async () => {
    const out = collector(true);
    const bar = progressOn(() => out.stream, { patience: 0, interval: 1 }).bytes('Downloading', 100 * MIB);
    bar.update(10 * MIB);
    // The rate is that of at least half a second.
    for (let done = 10; !/MiB\/s {2}\d+ s left/.test(out.text); done += 1) {
      await wait(50);
      bar.update(done * MIB);
    }
    expect(screen(out.text)[0]).toMatch(
      /^Downloading {2}\[=+-+\] \d+% {2}\d+ MiB \/ 100 MiB {2}[\d.]+ MiB\/s {2}\d+ s left$/,
    );
    bar.stop();
    expect(screen(out.text)).toEqual([]);
  });

  it('shows nothing of what is over in a moment', async () => {
    const out = collector(true);
    const bar = progressOn(() => out.stream, { patience: 60_000, interval: 1 }).bytes('Downloading', 100);
    bar.update(50);
    bar.stop();
    expect(out.text).toBe('');
  });

  it('gives its line to messages', async () => {
    const out = collector(true);
    const command = defineCommand({
      name: 'pull',
      summary: 'x',
      run: async ({ log, progress }) => {
        const bar = progress.bytes('Downloading', 100 * MIB);
        for (const done of [1, 2, 3]) {
          const before = out.text.length;
          while (!out.text.slice(before).includes('Downloading')) {
            await wait(10);
            bar.update(done * MIB);
          }
          log.info(`message ${done}`);
        }
        bar.stop();
      },
    });
    const program = defineProgram({
      name: 'x',
      version: '1',
      summary: 'x',
      prefixes: ['X'],
      commands: [command],
    });
    await main(program, ['pull'], {
      stdin: new PassThrough(),
      stdout: new PassThrough(),
      stderr: out.stream,
      env: { NO_COLOR: '1' },
      cwd: '/',
      signal: new AbortController().signal,
      progress: progressOn(() => out.stream, { patience: 0, interval: 1 }),
    });
    expect(screen(out.text)).toEqual(['INFO:    message 1', 'INFO:    message 2', 'INFO:    message 3']);
  });
});

describe('without a terminal', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is a line every ten seconds, without steering characters, and nothing of what takes less', () => {
    const out = collector(false);
    const bar = progressOn(() => out.stream).bytes('Uploading', 100 * MIB);
    bar.update(0);
    vi.advanceTimersByTime(9_999);
    expect(out.text).toBe('');
    bar.update(50 * MIB);
    vi.advanceTimersByTime(10_001);
    bar.stop();
    vi.advanceTimersByTime(60_000);
    expect(out.text).toBe(
      'Uploading  50%  50 MiB / 100 MiB  5.0 MiB/s  10 s left\nUploading  50%  50 MiB / 100 MiB  2.5 MiB/s  20 s left\n',
    );
  });
});

it('is nothing at all when the person wants quiet', async () => {
  const out = collector(true);
  const command = defineCommand({
    name: 'pull',
    summary: 'x',
    run: async ({ progress }) => {
      const bar = progress.bytes('Downloading', 100);
      // As long as another one takes to show itself.
      const other = progressOn(() => out.stream, { patience: 0, interval: 1 }).bytes('Other', 100);
      while (!out.text.includes('Other')) await wait(5);
      other.stop();
      bar.stop();
    },
  });
  const program = defineProgram({
    name: 'x',
    version: '1',
    summary: 'x',
    prefixes: ['X'],
    commands: [command],
  });
  await main(program, ['--quiet', 'pull'], {
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    stderr: out.stream,
    env: {},
    cwd: '/',
    signal: new AbortController().signal,
    progress: progressOn(() => out.stream, { patience: 0, interval: 1 }),
  });
  expect(out.text).not.toContain('Downloading');
});

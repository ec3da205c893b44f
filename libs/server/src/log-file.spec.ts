import { mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LogFile } from './log-file.js';

describe('LogFile', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'scs-log-'));
    path = join(folder, 'x.log');
  });
  afterEach(() => {
    vi.useRealTimers();
    rmSync(folder, { recursive: true });
  });
  const content = (): string => readFileSync(path, 'utf8');

  it('is private and appends to what is there', () => {
    new LogFile(path, { buffer: 0, delay: 0 }).write('one\n');
    new LogFile(path, { buffer: 0, delay: 0 }).write('zwölf\n');
    expect(content()).toBe('one\nzwölf\n');
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('collects lines up to its size, or its delay, in order', () => {
    vi.useFakeTimers();
    const file = new LogFile(path, { buffer: 10, delay: 250 });
    file.write('one\n');
    expect(content()).toBe('');
    file.write('two\nthree\n');
    expect(content()).toBe('one\ntwo\nthree\n');
    file.write('four\n');
    vi.advanceTimersByTime(250);
    expect(content()).toBe('one\ntwo\nthree\nfour\n');
  });

  it('goes on in a new file after rotation', () => {
    const file = new LogFile(path, { buffer: 100, delay: 250 });
    file.write('old\n');
    renameSync(path, `${path}.1`);
    file.reopen();
    file.write('new\n');
    file.flush();
    expect(readFileSync(`${path}.1`, 'utf8')).toBe('old\n');
    expect(content()).toBe('new\n');
  });

  it('loses lines on a full disk and does not throw', () => {
    const file = new LogFile('/dev/full', { buffer: 0, delay: 0 });
    expect(() => file.write('line\n')).not.toThrow();
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endLeftovers, identify, isAlive, signal, writeChildren } from './processes.js';

describe('the identity of a process', () => {
  it('is that of a process that runs, and of no other one', () => {
    const me = identify(process.pid);
    expect(me && isAlive(me)).toBe(true);
    expect(isAlive({ pid: process.pid, started: 'another-boot:1' })).toBe(false);
    expect(identify(4_194_305)).toBeUndefined();
  });

  it('is read past a name with spaces and parentheses', async () => {
    const child = spawn('bash', [
      '-c',
      'exec -a x bash -c "printf \'a) R 1 (\' > /proc/self/comm; echo named; read line"',
    ]);
    await once(child.stdout, 'data');
    expect(readFileSync(`/proc/${child.pid}/comm`, 'latin1')).toBe('a) R 1 (\n');
    const found = identify(child.pid ?? 0);
    expect(found?.started).toMatch(/^[0-9a-f-]{36}:\d+$/);
    child.stdin.end();
    await once(child, 'exit');
    expect(found && isAlive(found)).toBe(false);
  });

  it('protects a stranger with the same number from signals', async () => {
    const stranger = spawn('sleep', ['60']);
    await once(stranger, 'spawn');
    signal({ pid: stranger.pid ?? 0, started: 'another-boot:1' }, 'SIGKILL');
    stranger.kill('SIGTERM');
    expect((await once(stranger, 'exit'))[1]).toBe('SIGTERM');
  });
});

describe('endLeftovers', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'scs-left-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('ends what is noted and says what it was', async () => {
    const child = spawn('sleep', ['60']);
    await once(child, 'spawn');
    const ended = once(child, 'exit');
    writeChildren(folder, { redis: identify(child.pid ?? 0) ?? { pid: 0, started: '' } });
    expect(await endLeftovers(folder)).toEqual(['redis']);
    expect((await ended)[1]).toBe('SIGTERM');
    expect(await endLeftovers(folder)).toEqual([]);
  });

  it('kills what does not listen', async () => {
    const child = spawn('bash', ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.05; done']);
    await once(child.stdout, 'data');
    const ended = once(child, 'exit');
    writeChildren(folder, { server: identify(child.pid ?? 0) ?? { pid: 0, started: '' } });
    await endLeftovers(folder, 100);
    expect((await ended)[1]).toBe('SIGKILL');
  });

  it('keeps the last note where no new one can be written, and ends nothing for it', async () => {
    const child = spawn('sleep', ['60']);
    await once(child, 'spawn');
    const ended = once(child, 'exit');
    const noted = { redis: identify(child.pid ?? 0) ?? { pid: 0, started: '' } };
    expect(writeChildren(folder, noted)).toBe(true);
    mkdirSync(join(folder, 'processes.json.new'));
    expect(writeChildren(folder, {})).toBe(false);
    expect(await endLeftovers(folder)).toEqual(['redis']);
    await ended;
  });

  it('finds nothing where nothing was noted', async () => {
    expect(await endLeftovers(folder)).toEqual([]);
  });
});

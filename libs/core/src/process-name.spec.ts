import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { processName, stateOfProcess } from './process-name.js';

const [machine, boot, namespace, pid, start] = processName().split('-');
const named = (...parts: readonly (string | number | undefined)[]) => stateOfProcess(parts.join('-'));

it('knows a process that runs, and that it is gone when it is', async () => {
  expect(stateOfProcess(processName())).toBe('running');
  const child = spawn(process.execPath, ['-e', 'console.log(); setInterval(() => {}, 1000)']);
  await once(child.stdout, 'data');
  const stat = await readFile(`/proc/${child.pid}/stat`, 'latin1');
  const born = stat.split(') ').at(-1)?.split(' ')[19];
  expect(named(machine, boot, namespace, child.pid, born)).toBe('running');
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(named(machine, boot, namespace, child.pid, born)).toBe('gone');
});

it('does not take a process with the id of another one for it, nor one from before the machine was started', () => {
  expect(named(machine, boot, namespace, pid, Number(start) + 1)).toBe('gone');
  expect(named(machine, '0'.repeat(8), namespace, pid, start)).toBe('gone');
});

it('judges nothing elsewhere, and nothing that is no name', () => {
  expect(named('0'.repeat(16), boot, namespace, pid, start)).toBe('unknown');
  expect(named(machine, boot, '1', pid, start)).toBe('unknown');
  for (const name of ['', 'nonsense', processName().slice(0, -30), `${processName()}\n`])
    expect(stateOfProcess(name)).toBe('unknown');
});

it('takes a process that has ended for gone before anybody has asked how it ended', async () => {
  // The parent becomes another program, which never asks.
  const script = 'exec 3<&0; sh -c "read line" <&3 & echo $! $(cut -d" " -f22 /proc/$!/stat); exec sleep 60';
  const parent = spawn('sh', ['-c', script], { stdio: ['pipe', 'pipe', 'ignore'] });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const [child, born] = line.toString().trim().split(' ');
  try {
    expect(named(machine, boot, namespace, child, born)).toBe('running');
    // As long as it is a shell it may ask.
    await expect.poll(() => readFile(`/proc/${parent.pid}/comm`, 'latin1')).toBe('sleep\n');
    parent.stdin.write('\n');
    await expect.poll(() => readFile(`/proc/${child}/stat`, 'latin1')).toContain(') Z ');
    expect(named(machine, boot, namespace, child, born)).toBe('gone');
  } finally {
    parent.kill('SIGKILL');
  }
});

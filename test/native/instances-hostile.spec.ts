import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ordinaryId, skipContainers } from '../support/containers.js';
import { isRunning, parentOf, type InstanceOwner, useInstances } from '../support/instances.js';

const ROOT = process.getuid?.() === 0;

interface RecordFile {
  pid: number;
  pidStart: number;
  ppid: number;
  ppidStart: number;
  [name: string]: unknown;
}

/** Ticks from boot to the start of a process: field 22 of its stat. */
function startOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
}

// Records that somebody wrote, or put in the place of others: they are refused, and nothing is entered, stopped or removed that they name.
describe.skipIf(skipContainers())('records of instances that are not to be believed', () => {
  const scene = useInstances();
  const { owner } = scene;
  let init = 0;
  /** The record of a running instance, its folder, and how to put things right again. */
  let place = '';
  let file = '';
  let original = '';

  beforeEach(async () => {
    await owner.run(['instance', 'start', scene.image, 'one']);
    init = (await owner.list())[0]?.pid ?? 0;
    place = join(owner.records, 'one');
    file = join(place, 'one.json');
    original = readFileSync(file, 'utf8');
  });
  // Before the owner leaves.
  afterEach(() => {
    rmSync(place, { recursive: true, force: true });
    mkdirSync(place, { mode: 0o700 });
    own(place);
    put(original);
  });

  const own = (path: string, id = ordinaryId()): void => {
    if (ROOT) chownSync(path, id, id);
  };
  function put(content: string, mode = 0o600, id = ordinaryId()): void {
    rmSync(file, { force: true });
    writeFileSync(file, content, { mode });
    chmodSync(file, mode);
    own(file, id);
  }
  const change = (changes: Partial<RecordFile>): void =>
    put(JSON.stringify({ ...(JSON.parse(original) as RecordFile), ...changes }));
  const join_ = (): ReturnType<InstanceOwner['run']> =>
    owner.run(['exec', 'instance://one', 'sh', '-c', 'echo entered']);

  /** What every command says of the record. */
  async function everywhere(): Promise<object> {
    const list = await owner.run(['instance', 'list', '-j']);
    const stop = await owner.run(['instance', 'stop', 'one']);
    return {
      list: [list.status, JSON.parse(list.stdout), list.stderr],
      join: await join_(),
      start: await owner.run(['instance', 'start', scene.image, 'one']),
      stop: stop.status,
      isRunning: isRunning(init),
    };
  }
  /** Refused with a sentence, and left alone. */
  const refused = (sentence: RegExp): object => {
    const said = (level: string): unknown =>
      expect.stringMatching(new RegExp(`^${level}: .*(?:${sentence.source})`, 's'));
    return {
      list: [0, { instances: [] }, said('WARNING')],
      join: { status: 255, signal: null, stdout: '', stderr: said('FATAL') },
      start: { status: 255, signal: null, stdout: '', stderr: said('FATAL') },
      stop: 1,
      isRunning: true,
    };
  };

  it.each([
    ['nothing', '', /got something else/],
    ['garbage', '{"format":1', /got something else/],
    ['a list', '[]', /got something else/],
    ['half of it', '{"format":1,"name":"one"}', /Expected a value for image/],
    ['much', `[${'1,'.repeat(40_000)}1]`, /Expected at most 65536 bytes/],
    ['NUL', '{"format":1,"name":"one\\u0000"}', /got something else/],
  ])('%s', async (_what, content, sentence) => {
    put(content);
    expect(await everywhere()).toEqual(refused(sentence));
  });

  it.each([
    ['more than is known', { more: 1 }, /no members beyond the known ones/],
    ['another format', { format: 2 }, /for format/],
    ['a name of another', { name: 'two' }, /got that of another instance/],
    ['a relative image', { image: 'x' }, /for image/],
    ['a negative number', { pid: -1 }, /for pid/],
    ['an unknown mode', { mode: 'god' }, /for mode/],
  ])('%s', async (_what, changes, sentence) => {
    change(changes);
    expect(await everywhere()).toEqual(refused(sentence));
  });

  it('a link to a record', async () => {
    renameSync(file, join(owner.home, 'elsewhere'));
    symlinkSync(join(owner.home, 'elsewhere'), file);
    expect(await everywhere()).toEqual(refused(/got a link/));
  });

  it('a folder that is a link', async () => {
    renameSync(place, join(owner.home, 'elsewhere'));
    symlinkSync(join(owner.home, 'elsewhere'), place);
    expect(await everywhere()).toEqual(refused(/got a link or something else/));
    unlinkSync(place);
  });

  it('a FIFO, without waiting for it', async () => {
    unlinkSync(file);
    execFileSync('mkfifo', [file]);
    own(file);
    expect(await everywhere()).toEqual(refused(/Expected a regular file/));
  });

  it('a file that others could write', async () => {
    put(original, 0o666);
    expect(await everywhere()).toEqual(refused(/written by its owner only, got mode 0666/));
  });

  it.skipIf(!ROOT)('a file of somebody else', async () => {
    put(original, 0o644, 0);
    expect(await everywhere()).toEqual(refused(/to belong to user \d+, got user 0/));
  });

  it.skipIf(!ROOT)('a folder of somebody else', async () => {
    chmodSync(place, 0o755);
    own(place, 0);
    expect(await everywhere()).toEqual(refused(/to belong to user \d+, got user 0/));
  });

  // T221, CVE-2019-11328: whoever is named there is not entered, and not stopped.
  it.each([
    ['process 1 of the machine', () => 1],
    ['a process of somebody else', () => (ROOT ? process.pid : 2)],
    ['the keeper', () => parentOf(init)],
    ['nobody', () => 999_999],
  ])('T221 %s', async (_what, choose) => {
    const pid = choose();
    change({ pid, pidStart: pid === 999_999 ? 1 : startOf(pid) });
    expect(await join_()).toMatchObject({ status: 255, stdout: '' });
    expect((await owner.run(['instance', 'stop', '-F', 'one'])).status).toBe(1);
    expect(pid === 999_999 || isRunning(pid)).toBe(true);
  });

  it('T221 a number that was given again', async () => {
    change({ pidStart: startOf(init) + 1 });
    expect(await join_()).toMatchObject({
      status: 255,
      stderr: expect.stringContaining('no instance found with name one'),
    });
    expect(existsSync(file)).toBe(true);
  });

  it('T221 a keeper that is none', async () => {
    // Another instance's: a process of the same user that has namespaces to enter.
    expect((await owner.run(['instance', 'start', scene.image, 'two'])).status).toBe(0);
    const other = (await owner.list()).find(({ instance }) => instance === 'two')?.pid ?? 0;
    const keeper = parentOf(other);
    change({ ppid: keeper, ppidStart: startOf(keeper) });
    expect(await join_()).toMatchObject({ status: 255, stdout: '' });
    expect(isRunning(other)).toBe(true);
  });

  it('of before the last boot is gone, of another PID namespace is left alone', async () => {
    change({ pidNamespace: '1' });
    expect((await join_()).stderr).toContain('was started in another PID namespace');
    expect((await owner.run(['instance', 'start', scene.image, 'one'])).status).toBe(255);
    expect(readdirSync(place)).toEqual(['one.json']);
    change({ bootId: 'before' });
    expect((await join_()).stderr).toContain('no instance found with name one');
    await owner.list();
    expect(existsSync(place)).toBe(false);
  });

  it('a log that is a link, a FIFO or a folder is not written', async () => {
    const logs = owner.records.replace('/scs/', '/logs/');
    const log = join(logs, 'two.out');
    const target = join(owner.home, 'precious');
    writeFileSync(target, 'precious');
    own(target);
    const made: readonly (() => void)[] = [
      () => symlinkSync(target, log),
      () => execFileSync('mkfifo', [log]),
      () => mkdirSync(log),
    ];
    for (const make of made) {
      make();
      expect(await owner.run(['instance', 'start', scene.image, 'two'])).toMatchObject({
        status: 255,
        stderr: expect.stringMatching(/log .*two\.out/),
      });
      rmSync(log, { recursive: true });
    }
    expect(readFileSync(target, 'utf8')).toBe('precious');
    expect(readdirSync(owner.records)).not.toContain('two');
  });
});

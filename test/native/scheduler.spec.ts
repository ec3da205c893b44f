import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeImage, ordinaryId, PROGRAM, skipContainers } from '../support/containers.js';
import { ENVIRONMENT } from '../support/fuse.js';
import { eventually } from '../support/processes.js';
import { temporaryFolder } from '../support/temporary.js';

const asUser = process.getuid?.() === 0 ? { uid: ordinaryId(), gid: ordinaryId() } : {};

/** Of /proc/PID/stat: parent, process group, session, priority, and whether it is stopped. */
function statOf(pid: number): {
  state: string;
  parent: number;
  group: number;
  session: number;
  nice: number;
} {
  const fields = (readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1) ?? '').split(' ');
  const [state = '', parent, group, session] = fields;
  return {
    state,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    nice: Number(fields[16]),
  };
}

/** What may have ended in the meantime. */
function existing<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}

interface Job {
  readonly job: ChildProcess;
  readonly front: number;
  readonly payload: number;
  readonly said: () => string;
  readonly ended: Promise<unknown>;
  /** Sends a signal to front program and payload, as one to the whole group does. */
  readonly send: (name: NodeJS.Signals) => void;
}

function fileOf(pid: number, name: string): string {
  return readFileSync(`/proc/${pid}/${name}`, 'utf8');
}

/** The line of /proc/PID/status about processors. */
const processorsOf = (pid: number): string =>
  /^Cpus_allowed_list:\t(.*)$/m.exec(fileOf(pid, 'status'))?.[1] ?? '';

/** Whether nobody in this session looks after the process group of the tests: the kernel lets no SIGTSTP stop it then, whatever runs in it. */
function isOrphaned(): boolean {
  const { group, session } = statOf(process.pid);
  return existing(() => statOf(statOf(group).parent).session) !== session;
}

function descendantsOf(pid: number): number[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const children = all.filter((one) => existing(() => statOf(one).parent) === pid);
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

// What a batch system sees of a container that it starts: an ordinary program in its job.
describe.skipIf(skipContainers()).each([[[]], [['--pid']], [['--fakeroot']], [['-C']]])(
  'a job that starts a container with %j',
  (words) => {
    let folder = '';
    let image = '';
    let remove = async (): Promise<void> => undefined;
    beforeAll(async () => {
      ({ path: folder, remove } = await temporaryFolder());
      image = makeImage(folder);
    });
    afterAll(() => remove());

    /** The step of a job: a shell that runs the container on one processor with a lower priority, and says how it ended. */
    const startJob = async (script: string): Promise<Job> => {
      const marker = `marker-${Math.random().toString(36).slice(2)}`;
      const line = 'taskset -c 0 nice -n 5 "$0" -s exec "$@"; echo ended $?';
      const job = spawn('sh', ['-c', line, PROGRAM, ...words, image, 'sh', '-c', `: ${marker}; ${script}`], {
        cwd: '/',
        env: ENVIRONMENT,
        // The shell tells there how its step was killed.
        stdio: ['ignore', 'pipe', 'ignore'],
        ...asUser,
      });
      let said = '';
      job.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const ended = once(job, 'close');
      while (!said.includes('ready')) await once(job.stdout, 'data');
      const [front = 0, ...below] = descendantsOf(Number(job.pid));
      const ofPayload = (pid: number): boolean => {
        const text = existing(() => fileOf(pid, 'cmdline')) ?? '';
        return text.startsWith('sh\0-c\0') && text.includes(marker);
      };
      if (front === 0) throw new Error('Expected the shell of the job to have a step');
      // A payload that has become another program is the last one below.
      const payload = [front, ...below].find(ofPayload) ?? below.at(-1) ?? front;
      const steps = new Set([front, payload]);
      return {
        job,
        front,
        payload,
        said: () => said,
        ended,
        send: (name) => steps.forEach((pid) => void existing(() => process.kill(pid, name))),
      };
    };

    it('has the payload below itself: same session, group, cgroup, processors and priority', async () => {
      const { job, front, payload, ended } = await startJob('echo ready; while :; do sleep 0.05; done');
      const id = Number(job.pid);
      const { group, session } = statOf(id);
      try {
        expect(payload).toBeGreaterThan(0);
        expect([front, ...descendantsOf(front)]).toContain(payload);
        expect(statOf(front).parent).toBe(id);
        for (const pid of [front, payload]) {
          expect(existing(() => statOf(pid)) ?? { group, session }).toMatchObject({ group, session });
          expect(fileOf(pid, 'cgroup')).toBe(fileOf(id, 'cgroup'));
          expect(processorsOf(pid)).toBe('0');
          expect(statOf(pid).nice).toBe(Math.min(statOf(id).nice + 5, 19));
        }
        // Nothing of the launch is left outside of the job.
        for (const pid of descendantsOf(front))
          expect(existing(() => statOf(pid)) ?? { group, session }).toMatchObject({ group, session });
      } finally {
        process.kill(payload, 'SIGKILL');
        await ended;
      }
    });

    it.each([
      ['SIGTERM', 143],
      ['SIGINT', 130],
      ['SIGUSR1', 138],
    ] as const)('%s to the job ends it with %i', async (name, status) => {
      // The shell of the job waits for its step, as batch scripts do.
      const { said, ended, send } = await startJob('echo ready; exec sleep 1000');
      send(name);
      await ended;
      expect(said()).toContain(`ended ${status}`);
    });

    it('SIGTERM to the whole group reaches a payload that catches it', async () => {
      const { payload, said, ended, send } = await startJob(
        `n=0; trap 'n=$((n+1)); echo caught $n' TERM; trap 'exit $((40+n))' USR1; echo ready; while :; do sleep 0.05; done`,
      );
      send('SIGTERM');
      await eventually('the payload to catch it', () => said().includes('caught'));
      process.kill(payload, 'SIGUSR1');
      await ended;
      expect(said()).toMatch(/ended 4[1-9]/);
    });

    it.each(isOrphaned() ? (['SIGSTOP'] as const) : (['SIGTSTP', 'SIGSTOP'] as const))(
      '%s stops front program and payload, SIGCONT lets them go on',
      async (name) => {
        const { front, payload, said, ended, send } = await startJob(
          `trap 'exit 7' USR1; echo ready; while :; do sleep 0.05; done`,
        );
        const running = [front, payload];
        // What a terminal or a batch system does.
        send(name);
        await eventually(`${name} to stop both`, () => running.every((pid) => statOf(pid).state === 'T'));
        send('SIGCONT');
        await eventually('both to go on', () => running.every((pid) => statOf(pid).state !== 'T'));
        process.kill(payload, 'SIGUSR1');
        await ended;
        expect(said()).toContain('ended 7');
      },
    );
  },
);

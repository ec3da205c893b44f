/**
 * A worker process for the queue tests. `queue-worker.script.ts <redis url> <lane> <manner>` prints `ready`, then for each job
 * `start <id> <attempt>`; `done`: prints `done <id>` and ends the job; `hold`: works until it is told to stop.
 */
import { JobStopped, JobWorker } from '#libs/queue';
import { once } from 'node:events';

const [url = '', lane = '', manner = 'done'] = process.argv.slice(2);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const worker = await JobWorker.start({
  url,
  lane,
  concurrency: 4,
  log: (line) => say(`log ${line}`),
  handlers: [
    {
      name: 'build',
      handle: async ({ id }, { signal, attempt }) => {
        say(`start ${id} ${attempt}`);
        if (manner === 'hold' && !signal.aborted) await once(signal, 'abort');
        if (signal.aborted) {
          say(`stop ${id} ${signal.reason instanceof JobStopped ? signal.reason.why : 'unknown'}`);
          throw signal.reason;
        }
        say(`done ${id}`);
      },
    },
  ],
});
await worker.check();
process.once('SIGTERM', () => {
  void worker.close().then(() => say('closed'));
});
say('ready');

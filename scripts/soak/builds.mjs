import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { packContext } from '#libs/build';
import { BuilderClient, HttpClient, LibraryClient } from '#libs/client';
import { parseDefinition } from '#libs/deffile';
import { ownInstance } from './instance.mjs';
import { repeat } from './library.mjs';
import { commandOf, descriptorsOf, freePort, processesBelow } from './process.mjs';
import { untilNothing, within } from './until.mjs';

const WIDTH = 6;
/** Builds after which every connection that is kept is there: descriptors are compared from then on. */
const WARM = 12;
/** Connections come and go. */
const SLACK = 12;
/** The slowest build waits for all the others. */
const PATIENCE = 180_000;

/** A root with one static program that is shell and tools. */
const BASE = 'bootstrap: scratch\n%files\n/bin/busybox /bin/busybox\n/bin/busybox /bin/sh\n%post\n';
const ENDINGS = {
  succeeds: `${BASE}/bin/busybox --install -s /bin\n`,
  fails: `${BASE}exit 7\n`,
  'would take an hour': `${BASE}/bin/busybox sleep 3600\n`,
};

/** Builds, many of them cancelled at a random moment: each has an end that fits, and nothing of it stays. */
export async function cancelledBuilds({ times, folder, random }) {
  const port = await freePort();
  const instance = ownInstance(folder, {
    SCS_PORT: String(port),
    SCS_SERVICES: 'auth,library,builder,worker',
  });
  await instance.supervisor('start');
  const read = (path) => readFileSync(join(instance.home, path), 'utf8');
  const supervisor = JSON.parse(read('endpoint.json')).pid;
  const serverPid = () => JSON.parse(read('run/processes.json')).server?.pid;
  const http = new HttpClient({
    baseUrl: `https://localhost:${port}`,
    token: read('admin.token').trim(),
    ca: read('tls/ca.pem'),
    userAgent: 'soak',
  });
  const builder = new BuilderClient(http);
  const library = new LibraryClient(http);
  try {
    const contextDigest = await sendFiles(builder, folder);
    const counts = {};
    const server = serverPid();
    const idle = new Set(processesBelow(supervisor));
    let before;
    let done = 0;
    await repeat(times, WIDTH, async () => {
      const ending = random.oneOf(Object.keys(ENDINGS));
      const { id } = await builder.submit({
        definitionRaw: Buffer.from(ENDINGS[ending]).toString('base64'),
        libraryRef: '',
        workingDir: folder,
        contextDigest,
      });
      const cancels = ending === 'would take an hour' || random.between(0, 1) === 1;
      const following = within(
        PATIENCE,
        `the end of build ${id}`,
        builder.followLog(id, { onText: () => undefined }),
      );
      if (cancels) {
        await Promise.race([wait(random.between(0, 4000)), following]);
        await builder.cancel(id);
      }
      await following;
      const end = await endOf(builder, library, id, { ending, cancels });
      counts[end] = (counts[end] ?? 0) + 1;
      done += 1;
      if (done === Math.min(WARM, times)) before = descriptorsOf(server).length;
    });
    await untilNothing('processes of builds', () =>
      processesBelow(supervisor)
        .filter((pid) => !idle.has(pid))
        .map(commandOf),
    );
    const data = join(instance.home, 'data');
    await untilNothing('folders of builds', () => foldersOfBuilds(join(data, 'worker/jobs')));
    for (const path of ['library/blobs/incoming', 'builder/contexts/incoming'])
      await untilNothing(`files in ${path}`, () => filesIn(join(data, path)));
    await untilNothing(`more than ${before} descriptors`, () => {
      const open = descriptorsOf(server);
      return open.length > before + SLACK ? open : [];
    });
    if (serverPid() !== server) throw new Error('The server was started again');
    const errors = read('log/server.log')
      .split('\n')
      .filter((line) => line !== '' && JSON.parse(line).level >= 50);
    if (errors.length > 0) throw new Error(`The server met an error: ${errors[0]}`);
    const ends = Object.entries(counts).map(([end, count]) => `${count} ${end}`);
    return `${times} builds: ${ends.join(', ')} · descriptors ${before} → ${descriptorsOf(server).length}`;
  } finally {
    await http.close();
    await instance.supervisor('stop');
  }
}

/** How a build ended. @throws Error when that is no end for it */
async function endOf(builder, library, id, { ending, cancels }) {
  const build = await builder.status(id);
  const { status, isComplete, imageSize = 0, imageChecksum, failureReason, libraryRef, arch } = build;
  const wrong = () =>
    new Error(`Expected a proper end of a build that ${ending}, got ${JSON.stringify(build)}`);
  if (isComplete !== true) throw wrong();
  if (status === 'Cancelled') {
    if (!cancels) throw wrong();
    return 'cancelled';
  }
  if (status !== 'Complete' || ending === 'would take an hour') throw wrong();
  if (ending === 'fails') {
    if (imageSize > 0 || !failureReason?.includes('exit status 7')) throw wrong();
    return 'failed as they should';
  }
  if (imageSize === 0) throw wrong();
  const [path, tag] = libraryRef.replace('library://', '').split(':');
  const image = await library.image({ path, tag, arch });
  if (image.hash !== imageChecksum || image.size !== imageSize || !image.uploaded) throw wrong();
  return 'in the library';
}

async function sendFiles(builder, folder) {
  const output = join(folder, 'context.tar.gz');
  const definition = parseDefinition(ENDINGS.succeeds);
  const context = await packContext({ definition, workingDirectory: folder, output, signal: undefined });
  await builder.uploadContext(context);
  return context.digest;
}

/** Below the folder of each worker, which is there as long as the worker, with its lock. */
function foldersOfBuilds(jobs) {
  const workers = readdirSync(jobs).filter((name) => !name.endsWith('.lock'));
  if (workers.length !== 1) return workers;
  return filesIn(join(jobs, workers[0]));
}

function filesIn(path) {
  return existsSync(path) ? readdirSync(path) : [];
}

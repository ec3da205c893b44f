import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const GOLDEN = new URL('../../test/fixtures/plans', import.meta.url).pathname;
/** Answers of the planner that have a plan, by the names of their files. Read at once: a world of its own may cover the folder. */
const KEPT = readdirSync(GOLDEN)
  .sort()
  .map((name) => [name, JSON.parse(readFileSync(join(GOLDEN, name), 'utf8'))])
  .filter(([, answer]) => answer.plan !== undefined);

const KEPT_SUBIDS = 100_000;
/** What every machine has. Another folder of a kept plan is one of the person's. */
const EVERYWHERE = /^\/(home|etc|dev|proc|sys|tmp|var)\b/;
const FOLDERS = { host: ['path'], made: ['parent'] };
const RUNS = ['sh', '-c', 'exit 7'];
/** What the kept plans name, as it is without a world: nothing of it is there. */
const NOWHERE = { uid: 1000, subids: KEPT_SUBIDS, home: '/home/alice', guarded: '/guarded', images: {} };

/**
 * Good plans to begin with: the kept ones, and some of what those have not, among them such as try to leave the session by a link.
 * @param world `uid`, first of the `subids` and `home` of who starts them, `guarded`, a folder that no plan names but in a link, and `images` by their file system: `{ handle, path, size }`
 */
export function writeCorpus(folder, world = NOWHERE) {
  const { plan } = KEPT.find(([name]) => name === 'exec-directory.json')[1];
  const more = [...escapes(plan, world), bindOfHandle(plan), sequence(plan)];
  const all = [...KEPT, ...more.map((one, index) => [`more-${index}.json`, { plan: one }])];
  for (const [name, answer] of all)
    writeFileSync(join(folder, name), JSON.stringify({ plan: inWorld(answer.plan, world) }));
}

/** The plan with its names of people, images and handles changed to those of the world. */
function inWorld(value, world) {
  if (value === 1000) return world.uid;
  if (value === KEPT_SUBIDS) return world.subids;
  if (typeof value === 'string')
    return value.replace(/^\/home\/alice/, world.home).replace('/sing-1000', `/sing-${world.uid}`);
  if (Array.isArray(value)) return value.map((item) => inWorld(item, world));
  if (value === null || typeof value !== 'object') return value;
  const changed = Object.fromEntries(
    Object.entries(value).map(([name, part]) => [name, inWorld(part, world)]),
  );
  for (const name of FOLDERS[value.kind] ?? (value.config === undefined ? [] : ['config']))
    if (!EVERYWHERE.test(value[name])) changed[name] = `${world.home}/work`;
  return { ...changed, ...world.images[value.fileSystem], ...payloadOf(changed) };
}

/** A program that says by its status that it ran. */
function payloadOf({ file, argv, args }) {
  if (args !== undefined) return { args: RUNS };
  return argv === undefined ? {} : { file: file.includes('/') ? file : 'sh', argv: RUNS };
}

const withSteps = (plan, ...steps) => ({
  ...plan,
  steps: plan.steps.flatMap((step) => (step.path === 'files' ? [step, ...steps] : [step])),
});

const FLAGS = { readOnly: false, nosuid: true, nodev: true, noexec: false };
const IN_SESSION = { kind: 'session', path: 'files/link' };
const HOST_ETC = { kind: 'host', path: '/etc' };

function bind(source, target) {
  return { kind: 'bind', source, target, recursive: false, flags: FLAGS, onFailure: 'warning', unless: [] };
}

/** Each would change the guarded folder, or show it, if a link in the session were followed. */
function escapes(plan, { guarded, uid }) {
  const link = { kind: 'make_link', path: 'files/link', target: guarded };
  const at = 'files/link';
  const user = { name: 'alice', uid, gid: uid, gecos: '', home: '/', shell: '/bin/sh' };
  const overlay = { kind: 'mount_overlay', upper: null, userXattr: true, by: null, underlay: 'never' };
  return [
    { kind: 'make_directory', path: `${at}/made`, mode: 0o777 },
    { kind: 'make_directory', path: at, mode: 0o777 },
    { kind: 'write_file', path: `${at}/written`, content: 'written', mode: 0o666 },
    { kind: 'make_link', path: `${at}/linked`, target: '/' },
    { kind: 'prepare_targets', rootfs: 'files', layer: at, targets: [{ path: '/made', type: 'directory' }] },
    {
      kind: 'prepare_targets',
      rootfs: 'files',
      layer: 'files',
      targets: [{ path: '/link/made', type: 'file' }],
    },
    { kind: 'prepare_layer', image: at, at: null },
    { kind: 'stage_accounts', rootfs: 'rootfs', passwd: { to: `${at}/passwd`, user }, group: null },
    { ...overlay, lower: ['rootfs'], upper: { directory: `${at}/upper`, work: `${at}/work` }, at: 'files' },
    { kind: 'mount_underlay', layer: at, rootfs: 'rootfs', at },
    bind(IN_SESSION, { kind: 'container', path: '/tmp' }),
    bind(HOST_ETC, IN_SESSION),
  ].map((step) => withSteps(plan, link, step));
}

const bindOfHandle = (plan) =>
  withSteps(plan, bind({ kind: 'handle', handle: 8 }, { kind: 'session', path: 'files' }));

/** As builds have them. */
function sequence(plan) {
  const { payload } = plan.run;
  const exec = payload.exec ?? { file: 'sh', argv: ['sh'], env: [], searchPath: ['/bin'], shells: [] };
  const command = { view: 'container', exec, workingDirectory: '/', stdin: 'null', always: false };
  const commands = [
    { ...command, name: 'first' },
    {
      ...command,
      name: 'last',
      view: 'host',
      exec: { ...exec, file: '/bin/sh' },
      stdin: 'inherit',
      always: true,
    },
  ];
  const namespaces = { ...plan.namespaces, pid: { shim: true }, uts: { hostname: 'host' }, net: 'loopback' };
  return { ...plan, namespaces, run: { kind: 'sequence', commands, umask: 0o22 } };
}

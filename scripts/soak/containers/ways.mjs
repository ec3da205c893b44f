import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** The command itself, what it starts, and who is there: one of them, or all. */
const ANYWAY = ['sing', 'payload', 'anybody', 'everybody'];
const MARKER = 'in the image\n';
/** What serves a writable ext3 to an ordinary user. */
const PROGRAMS = ['/usr/bin/fuse2fs', '/usr/bin/fuse-overlayfs'];

/**
 * Every way in which containers are started, for everybody in the world. A way has `steps(name, pause)`, commands that follow each other, each with what it has to
 * say; `pause` is a command of the payload that takes time. `atOnce(name)` are those that many can do at the same time. `idle` seconds image servers stay. `victims`
 * are processes that it has. What a way with `keeps` was given as input is in the file /kept/NAME afterwards, and `sums(names)` makes the arguments of a command that
 * reads such files.
 */
export function waysOf(world) {
  return world.people.flatMap((person) =>
    person.hasFuse
      ? [
          reading(world, person, 'image', {}),
          reading(world, person, 'image, shared', { conf: 'shared' }),
          reading(world, person, 'image, shared, --pid', {
            conf: 'shared',
            flags: ['--pid'],
            more: ['init'],
          }),
          ...(person.hasSubids
            ? [reading(world, person, 'image, --fakeroot', { flags: ['--fakeroot'] })]
            : []),
          reading(world, person, 'directory', { image: world.tree }),
          ...keepingWays(world, person),
          instance(world, person),
        ]
      : [
          reading(world, person, 'image, unpacked for each run', {}),
          reading(world, person, 'image, unpacked for each run, --pid', { flags: ['--pid'], more: ['init'] }),
          reading(world, person, 'image, unpacked in the cache', { conf: 'cached' }),
        ],
  );
}

/** Why some ways are not there; empty when all are. In the user namespace of an ordinary user no program belongs to root, and none but such are called. */
export function lackingWays() {
  if (process.getuid() !== 0) return ' · without root, --fakeroot and ext3: for those start it as root';
  const missing = PROGRAMS.filter((program) => !existsSync(program));
  return missing.length === 0 ? '' : ` · without ext3 of users: ${missing.join(', ')} not found`;
}

function reading(world, person, name, { conf = 'alone', flags = [], image = world.sif, more = [] }) {
  const steps = (_, pause = '') => [
    {
      words: [...quiet(world, conf), 'exec', ...flags, image, 'sh', '-c', `${pause}cat /marker`],
      expected: MARKER,
    },
  ];
  const victims = [...ANYWAY, ...(image === world.sif ? ['server'] : []), ...more];
  const idle = conf === 'shared' ? 2 : 0;
  return { name: `${person.name}: ${name}`, person, idle, victims, steps, atOnce: steps };
}

function keepingWays(world, person) {
  const directory = makeLayers(join(person.work, 'layers'), person);
  const ways = [keeping(world, person, 'image with an overlay directory', directory, ['server'])];
  if (person.uid === 0 || lackingWays() === '')
    ways.push(
      keeping(world, person, 'image with an ext3 overlay', makeExt3(world, person), [
        'program',
        'program',
        'server',
      ]),
    );
  return ways;
}

function keeping(world, person, name, layer, servers) {
  const exec = (overlay, script, ...words) => [
    ...quiet(world, 'alone'),
    'exec',
    '--overlay',
    overlay,
    world.sif,
    'sh',
    '-c',
    script,
    ...words,
  ];
  return {
    name: `${person.name}: ${name}`,
    person,
    idle: 0,
    victims: [...ANYWAY, ...servers],
    keeps: true,
    steps: (file, pause = '') => {
      const input = `${file} of ${person.name}\n`.repeat(500);
      const script = `dd of=/kept/$0 conv=fsync 2>/dev/null && ${pause}cat /kept/$0`;
      return [{ words: exec(layer, script, file), input, expected: input }];
    },
    // One writes at a time; any number reads.
    atOnce: () => [{ words: exec(`${layer}:ro`, 'cat /marker'), expected: MARKER }],
    sums: (names) => exec(layer, 'cd /kept && sha256sum "$0" "$@"', ...names),
  };
}

function instance(world, person) {
  const steps = (name, pause = '') => {
    const words = quiet(world, 'alone');
    const join = [...words, 'exec', `instance://${name}`, 'sh', '-c', `${pause}cat /marker`];
    return [
      { words: [...words, 'instance', 'start', world.sif, name], expected: '' },
      { words: join, expected: MARKER },
      { words: [...words, 'instance', 'stop', '--force', name], expected: '' },
    ];
  };
  return {
    name: `${person.name}: instance`,
    person,
    idle: 0,
    victims: [...ANYWAY, 'init'],
    steps,
    atOnce: steps,
    /** Ends what is left when somebody was killed in the middle. */
    clean: () => person.run([...quiet(world, 'alone'), 'instance', 'stop', '--all', '--force']),
  };
}

const quiet = (world, conf) => ['-q', '-c', world.configurations[conf]];

/** An overlay directory in which /kept belongs to this person, as nothing of the image does. */
function makeLayers(path, person) {
  mkdirSync(join(path, 'upper/kept'), { recursive: true });
  mkdirSync(join(path, 'work'));
  for (const name of ['', 'upper', 'upper/kept', 'work']) give(join(path, name), person);
  return path;
}

/** For writing, as the person owns everything in it. */
export function makeExt3(world, person) {
  const image = join(person.work, `${world.token}.ext3`);
  const source = makeLayers(join(person.work, 'ext3'), person);
  const owner = `root_owner=${person.uid}:${person.uid}`;
  execFileSync('/sbin/mke2fs', ['-q', '-F', '-t', 'ext3', '-E', owner, '-d', source, image, '64M'], {
    stdio: 'ignore',
  });
  return give(image, person);
}

function give(path, { uid }) {
  if (process.getuid() === 0) chownSync(path, uid, uid);
  return path;
}

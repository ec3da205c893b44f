import { ACTION_FLAGS } from '../options/actionFlags.js';
import type { Flag } from '../options/flag.js';

export type InstanceVerb = 'start' | 'run' | 'list' | 'stop' | 'stats';

/** Of the flags of exec and run, those that an instance decides itself: it always has a PID namespace with a shim, and starts where it is started. */
const NOT_OF_INSTANCES: readonly string[] = ['cwd', 'pid', 'no-pid', 'no-init'];

const START: readonly Flag[] = [
  ...ACTION_FLAGS.filter(
    ({ name, verbs }) => !NOT_OF_INSTANCES.includes(name) && (verbs === undefined || verbs.includes('run')),
  ),
  {
    name: 'boot',
    takes: 'nothing',
    keys: ['BOOT'],
    summary: 'root: run /sbin/init of the image as process 1',
  },
  {
    name: 'pid-file',
    takes: 'value',
    keys: ['PID_FILE'],
    value: 'FILE',
    summary: 'write the number of process 1 to a file',
  },
];

const USER: Flag = {
  name: 'user',
  short: 'u',
  takes: 'value',
  value: 'NAME',
  summary: 'root: instances of this user',
};
const JSON_FLAG: Flag = { name: 'json', short: 'j', takes: 'nothing', summary: 'print JSON' };

/** Flags of each command about instances (runtime contract §1.6). */
export const INSTANCE_FLAGS: Readonly<Record<InstanceVerb, readonly Flag[]>> = {
  start: START,
  run: START,
  list: [
    USER,
    JSON_FLAG,
    { name: 'logs', short: 'l', takes: 'nothing', summary: 'with the paths of their logs' },
  ],
  stop: [
    { name: 'all', short: 'a', takes: 'nothing', summary: 'every instance' },
    { name: 'force', short: 'F', takes: 'nothing', summary: 'kill at once' },
    {
      name: 'signal',
      short: 's',
      takes: 'value',
      value: 'SIGNAL',
      summary: 'signal that is sent first (INT)',
    },
    {
      name: 'timeout',
      short: 't',
      takes: 'value',
      value: 'SECONDS',
      summary: 'time until what is left is killed (10)',
    },
    USER,
  ],
  stats: [USER, JSON_FLAG, { name: 'no-stream', takes: 'nothing', summary: 'once, not every second' }],
};

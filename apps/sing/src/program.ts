import { defineProgram, generatedCommands } from '#libs/cli';
import { actionCommands } from './action/index.js';
import { build } from './build/index.js';
import { cacheGroup } from './cache/index.js';
import { deleteImage } from './image/delete.js';
import { inspect } from './image/inspect.js';
import { pull } from './image/pull.js';
import { push } from './image/push.js';
import { runHelp } from './image/run-help.js';
import { search } from './image/search.js';
import { sign } from './image/sign.js';
import { verify } from './image/verify.js';
import { installation } from './installation.js';
import { keyGroup } from './key/index.js';
import { keyServerGroup } from './keyserver/index.js';
import { libraryGroup } from './library/index.js';
import { overlayGroup } from './overlay/index.js';
import { registryGroup } from './registry/index.js';
import { remoteGroup } from './remote/index.js';
import { sifGroup } from './sif/index.js';
import { version } from './version.js';

/** The whole command line of users. */
export const sing = defineProgram({
  name: 'sing',
  version: installation().version,
  summary: 'containers for shared computers: build, share, sign and run them',
  prefixes: ['SING', 'SINGULARITY', 'APPTAINER'],
  globals: {
    config: {
      type: 'string',
      short: 'c',
      value: 'FILE',
      env: ['CONFIG_FILE'],
      summary: 'another singularity.conf',
    },
    remote: { type: 'string', value: 'NAME', summary: 'the remote to work with' },
  },
  commands: [
    build,
    ...actionCommands,
    inspect,
    runHelp,
    pull,
    push,
    search,
    deleteImage,
    libraryGroup,
    sign,
    verify,
    keyGroup,
    keyServerGroup,
    remoteGroup,
    registryGroup,
    cacheGroup,
    overlayGroup,
    sifGroup,
    version,
    ...generatedCommands('sing'),
  ],
  notYet: {
    apps: 'Its apps are shown by: sing inspect --list-apps IMAGE',
    capability: 'Root keeps all capabilities with: sing exec --keep-privs IMAGE PROGRAM',
    checkpoint: 'Let the program in the container write its own checkpoints',
    config: 'Settings are flags and variables of the environment: sing help exec',
    instance: 'Keep a program running in the background with: sing exec IMAGE PROGRAM &',
    oci: 'Start containers with: sing exec, sing run, sing shell',
    plugin: 'What sing can do is built in: sing help',
  },
});

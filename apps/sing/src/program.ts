import { defineProgram, generatedCommands } from '#libs/cli';
import { cacheGroup } from './cache/index.js';
import { inspect } from './image/inspect.js';
import { sign } from './image/sign.js';
import { verify } from './image/verify.js';
import { installation } from './installation.js';
import { keyGroup } from './key/index.js';
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
    cacheGroup,
    inspect,
    keyGroup,
    remoteGroup,
    sifGroup,
    sign,
    verify,
    version,
    ...generatedCommands('sing'),
  ],
});

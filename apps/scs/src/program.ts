import { defineProgram, generatedCommands } from '#libs/cli';
import { installation } from '#libs/config';
import { auditGroup } from './audit/index.js';
import { caGroup } from './ca/index.js';
import { dbGroup } from './db/index.js';
import { keysGroup } from './keys/index.js';
import { libraryGroup } from './library/index.js';
import { signingKeyGroup } from './signing-key/index.js';
import { orgGroup } from './org/index.js';
import { robotGroup } from './robot/index.js';
import { status } from './status.js';
import { tokenGroup } from './token/index.js';
import { userGroup } from './user/index.js';

/** The whole command line of operators. */
export const scs = defineProgram({
  name: 'scs',
  version: installation().version,
  summary:
    'runs an instance: accounts, organisations, tokens, keys, audit trails, certificates, databases, health',
  description:
    'Works with the instance of SCS_HOME, or of this checkout, as its administrator: with the token file that the first start made. ' +
    'With --as, by user name and password instead: tokens of that user, the own account, organisations that the user owns.',
  prefixes: ['SCS'],
  failureStatus: 1,
  commands: [
    status,
    userGroup,
    orgGroup,
    robotGroup,
    tokenGroup,
    keysGroup,
    libraryGroup,
    signingKeyGroup,
    auditGroup,
    caGroup,
    dbGroup,
    ...generatedCommands('scs'),
  ],
});

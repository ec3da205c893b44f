import { sqliteDatabase } from '../../support/databases.js';
import { accountsSuite } from './accounts.suite.js';
import { authSuite } from './auth.suite.js';
import { bodiesSuite } from './bodies.suite.js';
import { exchangeSuite } from './exchange.suite.js';
import { organisationsSuite } from './organisations.suite.js';
import { proofsSuite } from './proofs.suite.js';
import { usesSuite } from './uses.suite.js';

for (const suite of [
  authSuite,
  accountsSuite,
  organisationsSuite,
  usesSuite,
  bodiesSuite,
  exchangeSuite,
  proofsSuite,
])
  suite('SQLite', sqliteDatabase);

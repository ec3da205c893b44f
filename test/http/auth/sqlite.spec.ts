import { sqliteDatabase } from '../../support/databases.js';
import { authSuite } from './auth.suite.js';

authSuite('SQLite', sqliteDatabase);

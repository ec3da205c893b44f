import { mongoDatabase } from '../../support/databases.js';
import { authSuite } from './auth.suite.js';

authSuite('MongoDB', mongoDatabase);

import { openDocuments } from '#libs/documents';
import { randomBytes } from 'node:crypto';
import { describe } from 'vitest';
import { documentsSuite } from '../../libs/documents/src/testing/documents.suite.js';
import type { Subject } from '../../libs/documents/src/testing/things.js';
import { startMongo } from '../support/ferretdb.js';

/** What the stand-in does not do; nothing is missing where SCS_TEST_MONGO_URL names a MongoDB. */
const FERRETDB_GAPS: Subject['gaps'] = new Set([
  'commits-are-sequential',
  'unique-indexes-hold-absent-fields',
]);

describe('documents over MongoDB', () => {
  documentsSuite(
    async () => {
      const server = await startMongo();
      const url = server.url({ database: `t${randomBytes(4).toString('hex')}` });
      const documents = await openDocuments(url, { service: 'suite' });
      return {
        documents,
        gaps: server.kind === 'ferretdb' ? FERRETDB_GAPS : new Set(),
        close: async () => {
          await documents.close();
          await server.stop();
        },
      };
    },
    { runs: 15 },
  );
});

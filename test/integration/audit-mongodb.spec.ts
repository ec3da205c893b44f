import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe } from 'vitest';
import { type Documents, openDocuments } from '#libs/documents';
import { trailSuite } from '../../libs/audit/src/testing/trail.suite.js';
import { lackingMongo, type MongoServer, startMongo } from '../support/ferretdb.js';
import { skipped } from '../support/needs.js';

const reason = lackingMongo();

describe.skipIf(reason)(`an audit trail over MongoDB${skipped(reason)}`, () => {
  let server: MongoServer;
  let documents: Documents;
  beforeAll(async () => {
    server = await startMongo();
    const database = `t${randomBytes(4).toString('hex')}`;
    documents = await openDocuments(server.url({ database }), { service: 'library' });
  });
  afterAll(async () => {
    await documents.close();
    await server.stop();
  });
  trailSuite(() => ({ documents, atomic: server.kind === 'mongodb' }));
});

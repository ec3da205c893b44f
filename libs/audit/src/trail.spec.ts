import { afterAll, beforeAll, describe } from 'vitest';
import { type Documents, openDocuments, TEMPORARY_DATABASE } from '#libs/documents';
import { trailSuite } from './testing/trail.suite.js';

describe('an audit trail over SQLite', () => {
  let documents: Documents;
  beforeAll(async () => {
    documents = await openDocuments(TEMPORARY_DATABASE, { service: 'library' });
  });
  afterAll(() => documents.close());
  trailSuite(() => ({ documents, atomic: true }));
});

import { describe } from 'vitest';
import { openDocuments, TEMPORARY_DATABASE } from '../open.js';
import { documentsSuite } from '../testing/documents.suite.js';

describe('documents over SQLite', () => {
  documentsSuite(
    async () => {
      const documents = await openDocuments(TEMPORARY_DATABASE, { service: 'suite' });
      return { documents, gaps: new Set(), close: () => documents.close() };
    },
    { runs: 100 },
  );
});

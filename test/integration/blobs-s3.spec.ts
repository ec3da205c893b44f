import { afterAll, beforeAll, describe } from 'vitest';
import { S3BlobDriver } from '../../libs/blobs/src/s3/s3Driver.js';
import { blobSuite } from '../../libs/blobs/src/testing/blobs.suite.js';
import { skipped } from '../support/needs.js';
import { lackingS3, s3Place, s3Settings, startS3, type TestS3 } from '../support/versitygw.js';

const reason = lackingS3();

describe.skipIf(reason)(`a blob store in an object store${skipped(reason)}`, () => {
  let server: TestS3;
  beforeAll(async () => {
    server = await startS3();
  });
  afterAll(() => server?.stop());

  blobSuite({
    kind: 's3',
    open: async () => {
      const place = s3Place(server.newUrl());
      const open = () => S3BlobDriver.open(place, s3Settings(server));
      return { driver: await open(), restart: open, remove: async () => undefined };
    },
    keepsWhatIsRead: false,
    runs: 10,
  });
});

import { afterAll, beforeAll, describe } from 'vitest';
import { blobKey } from '../../libs/blobs/src/layout.js';
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
      const driver = await open();
      return { driver, restart: open, remove: () => removeBlobs(driver) };
    },
    keepsWhatIsRead: false,
    runs: 10,
  });
});

/** A store that was given stays as it was. */
async function removeBlobs(driver: S3BlobDriver): Promise<void> {
  for (const { digest } of await driver.list(undefined, 1000)) await driver.remove(blobKey(digest));
}

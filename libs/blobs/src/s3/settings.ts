import { DomainError, expected } from '#libs/core';

/** How to reach an object store, and as whom. */
export interface S3Settings {
  /** `https://host[:port]`; Amazon's own for the region when absent. */
  readonly endpoint: string | undefined;
  readonly region: string;
  /** Where clients reach the same store, for addresses that are handed out; absent: none are. */
  readonly publicEndpoint: string | undefined;
  readonly accessKeyId: string;
  readonly secretAccessKey: { reveal(): string };
  /** Certificate authorities in PEM by which the store is trusted, instead of the public ones. */
  readonly ca: string | undefined;
}

/** Where in a store the blobs are. */
export interface S3Place {
  readonly bucket: string;
  /** Of every key: empty, or with a slash at its end. */
  readonly prefix: string;
}

const PLACE = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)*)\/?$/;

/** Takes `s3://bucket/prefix` apart. @throws DomainError `bad_request` */
export function readS3Url(url: string): S3Place {
  const match = PLACE.exec(url);
  const bucket = match?.[1];
  if (bucket === undefined)
    throw new DomainError(
      'bad_request',
      expected(
        's3://<bucket> with a prefix of letters, digits, ., _, - and /',
        'the address of the blobs',
        url,
      ),
      { reason: 'bad_blobs_url' },
    );
  const prefix = (match?.[2] ?? '').slice(1);
  return { bucket, prefix: prefix === '' ? '' : `${prefix}/` };
}

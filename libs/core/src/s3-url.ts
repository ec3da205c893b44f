/** Where in an object store something is kept. */
export interface S3Place {
  readonly bucket: string;
  /** Of every key: empty, or with a slash at its end. */
  readonly prefix: string;
}

/** What {@link readS3Url} takes, for messages. */
export const S3_URL_FORM =
  's3://<bucket>, and a prefix of letters, digits, ".", "_", "-" and "/" where it is wanted';

const BUCKET = '[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]';
const PREFIX = String.raw`(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)*`;
const PLACE = new RegExp(String.raw`^s3:\/\/(${BUCKET})(${PREFIX})\/?$`);

/** Takes `s3://bucket/prefix` apart. Undefined for anything else, and for prefixes with characters that would have to be escaped. */
export function readS3Url(url: string): S3Place | undefined {
  const [, bucket, path = ''] = PLACE.exec(url) ?? [];
  if (bucket === undefined) return undefined;
  return { bucket, prefix: path === '' ? '' : `${path.slice(1)}/` };
}

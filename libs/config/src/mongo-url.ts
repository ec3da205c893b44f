/** The parts of a MongoDB connection string. It may name several hosts, which no URL parser takes. */
export interface MongoUrl {
  /** `mongodb://` or `mongodb+srv://`. */
  readonly scheme: string;
  /** `user:password`, still encoded; undefined without. */
  readonly credentials: string | undefined;
  readonly hosts: string;
  readonly database: string;
  readonly options: URLSearchParams;
}

const FORM = /^(mongodb(?:\+srv)?:\/\/)(?:([^/@?#]*)@)?([^/@?#]+)(?:\/([^/?#]*))?(?:\?([^#]*))?$/;

/** Takes a connection string apart; undefined where it is none. */
export function parseMongoUrl(text: string): MongoUrl | undefined {
  const [, scheme, credentials, hosts, database, options] = FORM.exec(text) ?? [];
  if (scheme === undefined || hosts === undefined) return undefined;
  return { scheme, credentials, hosts, database: database ?? '', options: new URLSearchParams(options) };
}

/** Puts a connection string together again. */
export function formatMongoUrl({ scheme, credentials, hosts, database, options }: MongoUrl): string {
  const user = credentials === undefined ? '' : `${credentials}@`;
  const query = options.size === 0 ? '' : `?${options.toString()}`;
  return `${scheme}${user}${hosts}/${database}${query}`;
}

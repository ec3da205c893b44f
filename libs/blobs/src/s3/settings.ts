/** How to reach an object store, and as whom. */
export interface S3Settings {
  /** `https://host[:port]`; Amazon's own for the region when undefined. */
  readonly endpoint: string | undefined;
  readonly region: string;
  /** Where clients reach the same store, for addresses that are handed out; undefined: none are. */
  readonly publicEndpoint: string | undefined;
  readonly accessKeyId: string;
  readonly secretAccessKey: { reveal(): string };
  /** Certificate authorities in PEM by which the store is trusted, instead of the public ones. */
  readonly caFile: string | undefined;
  /** Attempts of a request, and milliseconds until an answer begins, where tests have less time. */
  readonly attempts?: number;
  readonly answerTime?: number;
}

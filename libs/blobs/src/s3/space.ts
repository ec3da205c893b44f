import {
  GetObjectCommand,
  ListObjectsV2Command,
  S3Client,
  type ServiceInputTypes,
  type ServiceOutputTypes,
} from '@aws-sdk/client-s3';
import type { S3Place } from '#libs/core';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import { failureOf, inS3Words, isAbsent, isPassing } from './failures.js';
import { S3_LIMITS } from './limits.js';
import type { S3Settings } from './settings.js';

const MIB = 1024 * 1024;

/** A command of the library. */
type Command<I extends ServiceInputTypes, O extends ServiceOutputTypes> = Parameters<
  typeof S3Client.prototype.send<I, O>
>[0];

export interface SendOptions {
  /** Bytes that are sent along: they take their time. */
  readonly bytes?: number;
  /** The store has to copy or join bytes before it answers. */
  readonly isLong?: boolean;
  readonly attempts?: number;
  /** Codes of failures that the caller deals with: they are thrown as they are. */
  readonly known?: readonly string[];
}

/** An object as a list says it. */
export interface ListedObject {
  /** Without the prefix of the space. */
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly modifiedAt: Date;
}

/**
 * The part of a bucket that is ours. Requests are repeated while the store is busy or away; what is left of a failure is a
 * sentence. Keys are without the prefix.
 */
export class S3Space {
  readonly bucket: string;
  readonly #prefix: string;
  readonly #client: S3Client;
  readonly #public: S3Client | undefined;
  readonly #name: string;
  readonly #attempts: number;
  readonly #answerTime: number;

  /** @param ca authorities in PEM, instead of the public ones */
  constructor({ bucket, prefix }: S3Place, settings: S3Settings, ca: string | undefined) {
    this.bucket = bucket;
    this.#attempts = settings.attempts ?? S3_LIMITS.attempts;
    this.#answerTime = settings.answerTime ?? S3_LIMITS.answerTime;
    this.#prefix = prefix;
    this.#client = clientOf(settings, settings.endpoint, ca);
    this.#public =
      settings.publicEndpoint === undefined ? undefined : clientOf(settings, settings.publicEndpoint, ca);
    this.#name = `s3://${bucket}${prefix === '' ? '' : `/${prefix.slice(0, -1)}`} at ${settings.endpoint ?? `Amazon S3, ${settings.region}`}`;
  }

  /** Bucket and whole key, as commands want them. */
  at(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.bucket, Key: this.#prefix + key };
  }

  /** What a copy is made of. Keys have no characters that would have to be escaped. */
  sourceOf(key: string): string {
    return `${this.bucket}/${this.#prefix}${key}`;
  }

  /** Our key of a whole one; undefined for the key of somebody else in the same bucket. */
  ownKey(key: string | undefined): string | undefined {
    return key?.startsWith(this.#prefix) === true ? key.slice(this.#prefix.length) : undefined;
  }

  /**
   * Sends a command until it is answered.
   * @throws a failure that {@link isAbsent} or the caller knows as it is, every other one as a sentence
   */
  async send<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    command: Command<I, O>,
    { bytes = 0, isLong = false, attempts = this.#attempts, known = [] }: SendOptions = {},
  ): Promise<O> {
    const requestTimeout = isLong ? S3_LIMITS.longAnswerTime : this.#answerTime + (bytes / MIB) * 1000;
    const started = performance.now();
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#client.send(command, { requestTimeout });
      } catch (error) {
        if (isAbsent(error) || known.includes(failureOf(error).code)) throw error;
        const over = attempt >= attempts || performance.now() - started > S3_LIMITS.patience;
        if (over || !isPassing(error)) throw inS3Words(error, this.#name);
        await backOff(attempt);
      }
    }
  }

  /** Waits before the next attempt; says no when there have been enough. */
  async again(attempt: number): Promise<boolean> {
    if (attempt >= this.#attempts) return false;
    await backOff(attempt);
    return true;
  }

  /** A failure that is no answer to {@link send}, as a sentence. */
  inWords(error: unknown): Error {
    return inS3Words(error, this.#name);
  }

  /** Objects whose keys begin with `start`, in the order of their keys, a page of the store at a time. */
  async *list(
    start: string,
    options: { readonly after?: string; readonly page?: number } = {},
  ): AsyncGenerator<ListedObject> {
    let token: string | undefined;
    do {
      const page = await this.send(
        new ListObjectsV2Command({
          Bucket: this.bucket,
          Prefix: this.#prefix + start,
          ...(options.after === undefined ? {} : { StartAfter: this.#prefix + options.after }),
          ...(options.page === undefined ? {} : { MaxKeys: options.page }),
          ...(token === undefined ? {} : { ContinuationToken: token }),
        }),
      );
      for (const { Key, Size, ETag, LastModified } of page.Contents ?? []) {
        const key = this.ownKey(Key);
        if (key !== undefined)
          yield { key, size: Size ?? 0, etag: ETag ?? '', modifiedAt: LastModified ?? new Date(0) };
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  /** A signed address of an object under the public name; undefined where the site has none. */
  async addressOf(key: string, seconds: number): Promise<string | undefined> {
    if (this.#public === undefined) return undefined;
    const { getSignedUrl } = await import('@aws-sdk/s3-request-presigner');
    return getSignedUrl(this.#public, new GetObjectCommand(this.at(key)), { expiresIn: seconds });
  }
}

/** Waits before the next attempt: longer each time, and not as long as everybody else. */
async function backOff(attempt: number): Promise<void> {
  const longest = Math.min(S3_LIMITS.longestPause, S3_LIMITS.firstPause * 2 ** (attempt - 1));
  await pause(longest * (0.5 + Math.random() / 2));
}

function clientOf(settings: S3Settings, endpoint: string | undefined, ca: string | undefined): S3Client {
  const agent = { keepAlive: true, maxSockets: S3_LIMITS.connections };
  return new S3Client({
    region: settings.region,
    // Names of buckets in host names need DNS and certificates that few sites have.
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    credentials: {
      accessKeyId: settings.accessKeyId,
      secretAccessKey: settings.secretAccessKey.reveal(),
    },
    // Attempts are counted here.
    maxAttempts: 1,
    // Bodies carry their SHA-256 in the signature; older stores do not understand more.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: S3_LIMITS.connectTime,
      requestTimeout: S3_LIMITS.answerTime,
      throwOnRequestTimeout: true,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent({
        ...agent,
        minVersion: 'TLSv1.2',
        ...(ca === undefined ? {} : { ca, allowPartialTrustChain: true }),
      }),
    },
  });
}

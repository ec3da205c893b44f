import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { z } from 'zod';
import { type Digest, systemCode } from '#libs/core';
import { parseJson } from '../http/failures.js';
import { Journal, readLines } from '../transfer/journal.js';
import { TRANSFER } from '../transfer/limits.js';
import { type OwnedFile, ownedFiles, type OwnedKind, ownPath, takeOver } from '../transfer/ownedFiles.js';

/** What an upload belongs to. */
export interface UploadKey {
  /** Base address of the library. */
  readonly library: string;
  /** `entity/collection/container`. */
  readonly container: string;
  readonly digest: Digest;
  readonly size: number;
}

const text = z.string().min(1).max(1024);
const Known = z.strictObject({
  form: z.literal(1),
  library: text,
  container: text,
  digest: text,
  size: z.int().min(1),
  begun: z.int(),
  image: text,
  uploadID: text,
  totalParts: z.int().min(1).max(100_000),
  partSize: z.int().min(1),
  /** Whether the server wants the hash of each part. */
  hashed: z.boolean(),
  /** Whether the server says itself which parts it has. */
  listed: z.boolean(),
});
const PartLine = z.strictObject({ part: z.int().min(1).max(100_000), token: z.string().max(1024) });

/** An upload in parts that was begun. */
export type BegunUpload = Pick<
  z.output<typeof Known>,
  'image' | 'uploadID' | 'totalParts' | 'partSize' | 'hashed' | 'listed'
>;
/** The same with the parts that arrived: what the server called each. */
export type KnownUpload = BegunUpload & { readonly parts: ReadonlyMap<number, string> };

const SUFFIX = '.upload';
const mine = new Set<string>();

/**
 * What a client remembers of an upload in parts, so that the same push goes on after the client was killed, also at a server that
 * does not say which parts it has. One small file for each upload, readable for nobody else, good for a day. A process uses
 * what another one has left when that is gone, and never what somebody is at work with.
 */
export class UploadMemory {
  readonly #key: UploadKey;
  readonly #path: string;
  readonly #handle: FileHandle | undefined;
  #known: KnownUpload | undefined;
  #journal: Journal | undefined;

  private constructor(key: UploadKey, path: string, handle?: FileHandle) {
    this.#key = key;
    this.#path = path;
    this.#handle = handle;
  }

  /**
   * The memory of an upload. Where the folder cannot be used, or this process sends the same file twice at once, nothing is remembered.
   * @param folder of the person's own, which nobody else may write to; nothing is remembered when absent
   */
  static async open(folder: string | undefined, key: UploadKey): Promise<UploadMemory> {
    if (folder === undefined) return new UploadMemory(key, '');
    const kind = kindOf(folder, key);
    const path = ownPath(kind);
    if (mine.has(path)) return new UploadMemory(key, '');
    mine.add(path);
    try {
      await tidy(folder);
      await takeOver(kind);
      const { O_RDWR, O_CREAT, O_NOFOLLOW } = constants;
      const memory = new UploadMemory(key, path, await open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600));
      await memory.#read();
      return memory;
    } catch {
      // A push works without it.
      mine.delete(path);
      return new UploadMemory(key, '');
    }
  }

  /** Forgets what processes that are gone know of an upload that nobody needs any more. */
  static async forget(folder: string | undefined, key: UploadKey): Promise<void> {
    await (await UploadMemory.open(folder, key)).end();
  }

  /** What a process before this one knew. */
  get known(): KnownUpload | undefined {
    return this.#known;
  }

  /** Remembers a new upload instead of what was known. */
  async begin(upload: BegunUpload): Promise<void> {
    this.#known = undefined;
    this.#journal?.stop();
    this.#journal = undefined;
    if (this.#handle === undefined) return;
    const { library, container, digest, size } = this.#key;
    const known: z.input<typeof Known> = {
      form: 1,
      library,
      container,
      digest,
      size,
      begun: Date.now(),
      ...upload,
    };
    await quietly(async () => {
      await this.#handle?.truncate(0);
      if (this.#handle !== undefined) this.#journal = new Journal(this.#handle, 0);
      await this.#journal?.note(JSON.stringify(known));
    });
  }

  /** Remembers that a part has arrived. */
  async add(part: number, token: string): Promise<void> {
    await quietly(async () => this.#journal?.note(JSON.stringify({ part, token })));
  }

  /** Lets go: what is known is of use to the next push. */
  async keep(): Promise<void> {
    this.#journal?.stop();
    await this.#handle?.close();
    mine.delete(this.#path);
  }

  /** Forgets it: the upload has ended. */
  async end(): Promise<void> {
    await this.keep();
    if (this.#handle !== undefined) await rm(this.#path, { force: true });
  }

  async #read(): Promise<void> {
    if (this.#handle === undefined) return;
    const found = await this.#handle.stat();
    const isPrivate = found.isFile() && found.uid === process.geteuid?.() && (found.mode & 0o077) === 0;
    const read = isPrivate ? await readLines(this.#handle, 0, TRANSFER.uploadMemory) : undefined;
    this.#known = read && parse(this.#key, read.lines);
    if (read === undefined || this.#known === undefined) return;
    await this.#handle.write(Buffer.from('\n'), 0, 1, read.end);
    this.#journal = new Journal(this.#handle, read.end + 1);
  }
}

function kindOf(folder: string, { library, container, digest }: UploadKey): OwnedKind {
  const name = createHash('sha256').update(`${library}\n${container}\n${digest}`).digest('hex');
  return { folder, prefix: `${name.slice(0, 32)}.`, suffix: SUFFIX };
}

function parse(key: UploadKey, lines: readonly string[]): KnownUpload | undefined {
  const header = Known.safeParse(parseJson(lines[0] ?? ''));
  if (!header.success) return undefined;
  const known = header.data;
  const isSame =
    known.library === key.library &&
    known.container === key.container &&
    known.digest === key.digest &&
    known.size === key.size;
  const age = Date.now() - known.begun;
  if (!isSame || age < -TRANSFER.uploadKnown || age > TRANSFER.uploadKnown) return undefined;
  const parts = new Map<number, string>();
  for (const line of lines.slice(1)) {
    const part = PartLine.safeParse(parseJson(line));
    if (part.success && part.data.part <= known.totalParts) parts.set(part.data.part, part.data.token);
  }
  const { image, uploadID, totalParts, partSize, hashed, listed } = known;
  return { image, uploadID, totalParts, partSize, hashed, listed, parts };
}

/** What pushes that are under way, or were interrupted, remember in a folder. */
export async function uploadMemories(folder: string): Promise<readonly OwnedFile[]> {
  return ownedFiles(folder, SUFFIX);
}

/** Removes what is too old to be of use, and the oldest where there are too many. */
async function tidy(folder: string): Promise<void> {
  const left = (await uploadMemories(folder)).filter(({ abandoned }) => abandoned);
  const oldest = Date.now() - TRANSFER.uploadKnown;
  for (const [index, { path, modifiedAt }] of left
    .toSorted((a, b) => b.modifiedAt.getTime() - a.modifiedAt.getTime())
    .entries())
    if (index >= TRANSFER.uploadsKnown || modifiedAt.getTime() < oldest) await rm(path, { force: true });
}

/** A full disk, for example: the push goes on and cannot be taken up. */
async function quietly(work: () => Promise<void>): Promise<void> {
  await work().catch((error: unknown) => {
    if (systemCode(error) === undefined) throw error;
  });
}

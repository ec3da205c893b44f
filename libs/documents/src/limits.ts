import { MAXIMUM_SCAN } from './port.js';

/** Every bound of the document port in one place; the checks and the tests read them from here. */
export const DOCUMENT_LIMITS = {
  /** UTF-8 bytes of an id. */
  idBytes: 1024,
  /** UTF-8 bytes of a string in an index. */
  indexStringBytes: 1024,
  /** Bytes of a document as JSON; a quarter of what MongoDB takes. */
  documentBytes: 4 * 1024 * 1024,
  /** Objects and arrays inside one another. */
  depth: 32,
  /** UTF-8 bytes of a key inside a document. */
  keyBytes: 256,
  /** Writes of one commit. */
  commitWrites: 500,
  /** Characters of a cursor: an index tuple and an id, as JSON, in base64. */
  cursorCharacters: 16 * 1024,
  /** Fields of one index. */
  indexFields: 6,
  /** A scan or a getMany of {@link MAXIMUM_SCAN} large documents stops early when it has read this many bytes. */
  scanBytes: 16 * 1024 * 1024,
  scanItems: MAXIMUM_SCAN,
  /** Lost races after which `update` gives up. */
  updateAttempts: 100,
} as const;

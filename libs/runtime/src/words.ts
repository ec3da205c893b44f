/** A byte string: characters U+0001–U+00FF, one per byte. */
export type Bytes = string;

/** An absolute path as seen by somebody who is said where the type is used; at most 4095 bytes. */
export type AbsolutePath = Bytes;

/** A path below the session tmpfs: relative, no empty, `.` or `..` parts, for example `lower` or `files/passwd`. */
export type SessionPath = Bytes;

/** The number of an open descriptor in the process that executes the plan (from `Host.openImage`, or given to `start` by the caller). */
export type Handle = number;

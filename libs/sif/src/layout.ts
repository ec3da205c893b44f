/**
 * Where everything of a SIF image is (all integers little-endian, SIF contract §1).
 *
 * ```
 * 0        global header, 128 bytes
 * 128      gap
 * 4096     descriptor table: slots × 585 bytes (48 → 28080 bytes)
 * 32176    data section: objects in any order, gaps allowed
 * ```
 * 4096, 48 and 32176 are what we write; a reader takes the header's values.
 */
export const HEADER_SIZE = 128;
export const DESCRIPTOR_SIZE = 585;
export const DESCRIPTORS_OFFSET = 4096;
export const DEFAULT_SLOTS = 48;

/** Bytes of the launch script field; one is kept for the NUL. */
export const LAUNCH_SIZE = 32;
export const NAME_SIZE = 128;
export const EXTRA_SIZE = 384;

export const MAGIC = Buffer.from('SIF_MAGIC\0', 'latin1');
export const VERSION = Buffer.from('01\0', 'latin1');

/** What an executable image starts with, so that running the file starts the runtime. Other products write the same. */
export const LAUNCH_SCRIPT = '#!/usr/bin/env run-singularity\n';

/** The time that deterministic images carry everywhere: year 1, the zero time of the field's other programs (§1.10). */
export const ZERO_TIME = -62135596800n;

/** The top four bits of a group number, set in every stored group and in links to groups (§1.4). */
export const GROUP_MASK = 0xf0000000;
/** The group of everything that a build puts in. */
export const DEFAULT_GROUP = 1;

/** Partitions start at multiples of this; nothing else is aligned (§1.8). */
export const PARTITION_ALIGNMENT = 4096;

/** Offset of the used byte in a descriptor: writing it is what makes an object appear or disappear. */
export const USED_OFFSET = 4;

import { DomainError, type Clock } from '#libs/core';
import {
  addObject,
  DataType,
  groupOf,
  groupsOf,
  objectById,
  readSif,
  type Descriptor,
  type RandomAccess,
  type SifImage,
} from '#libs/sif';
import { DataDigests } from './digest.js';
import { failed, failureError, VerificationFailure } from './fault.js';
import { signedMetadataText } from './metadata.js';
import type { Signer } from './signer.js';

export interface SignOptions {
  readonly signer: Signer;
  readonly clock: Clock;
  /** Groups to sign; all by default. */
  readonly groups?: readonly number[];
  /** Sign this one object instead of groups: still a signature of its group, that lists only it. */
  readonly object?: number;
  /** Unix seconds of the new objects instead of the clock's time. */
  readonly time?: bigint;
  readonly signal?: AbortSignal;
}

interface Task {
  readonly group: number;
  readonly objects: readonly Descriptor[];
}

/**
 * Signs an image in place: one signature object per group, groups ascending, behind everything that is there (SIF contract
 * §2.1). Data is read once, in pieces; nothing of it is rewritten. Everything is hashed and signed before the first byte
 * is written, so a wrong passphrase or a full table changes nothing.
 * @returns the image as it is now
 * @throws DomainError with exit status 255
 */
export async function signImage(access: RandomAccess, options: SignOptions): Promise<SifImage> {
  const image = await readSif(access);
  try {
    const tasks = tasksOf(image, options);
    const digests = new DataDigests(image, options);
    const signatures = [];
    for (const { group, objects } of tasks) {
      const metadata = await signedMetadataText(image, group, objects, digests);
      signatures.push({ group, ...(await options.signer.sign(metadata)) });
    }
    let signed = image;
    for (const { group, data, hashType, entity } of signatures) {
      const added = await addObject(
        access,
        {
          type: DataType.signature,
          data,
          group: 0,
          link: { kind: 'group', id: group },
          extra: { kind: 'signature', signature: { hashType, entity } },
        },
        options,
      );
      signed = added.image;
    }
    return signed;
  } catch (error) {
    if (error instanceof VerificationFailure) throw failureError(error.failure, 'Failed to sign container');
    throw error;
  }
}

function tasksOf(image: SifImage, options: SignOptions): Task[] {
  const tasks =
    options.object === undefined
      ? groupTasks(image, options.groups ?? groupsOf(image))
      : [objectTask(image, options.object)];
  if (tasks.length === 0) throw failed('no_groups', 'no groups found');
  const free = image.slots - image.descriptors.length;
  if (tasks.length > free) throw full(tasks.length, free);
  return tasks;
}

const full = (needed: number, free: number) =>
  new DomainError(
    'unprocessable',
    'Failed to sign container: insufficient descriptor capacity to add data object(s) to image: ' +
      `Expected ${needed} free descriptors, got ${free}`,
    {
      reason: 'sif_full',
      remedy: 'Delete an object of the image first, or build the image again.',
      exitCode: 255,
    },
  );

function groupTasks(image: SifImage, groups: readonly number[]): Task[] {
  return [...new Set(groups)]
    .sort((a, b) => a - b)
    .map((group) => {
      if (group === 0) throw failed('invalid_group', 'invalid group ID');
      const objects = image.descriptors.filter((one) => groupOf(one) === group).sort((a, b) => a.id - b.id);
      if (objects.length === 0) throw failed('group_not_found', 'group not found');
      // Two objects with one id could be told apart by nobody who verifies.
      for (const { id } of objects) objectById(image, id);
      return { group, objects };
    });
}

function objectTask(image: SifImage, id: number): Task {
  const object = objectById(image, id);
  const group = groupOf(object);
  if (group === 0) throw failed('invalid_group', 'invalid group ID', { objectId: id });
  return { group, objects: [object] };
}

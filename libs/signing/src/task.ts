import {
  DataType,
  groupOf,
  groupsOf,
  isPartitionOfType,
  objectById,
  objectsInGroup,
  objectsLinkedTo,
  PartitionType,
  type Descriptor,
  type SifImage,
} from '#libs/sif';
import { DomainError } from '#libs/core';
import { failed } from './fault.js';

/** What is asked about: all of the image, some groups, or some objects. */
export interface Selection {
  readonly groups?: readonly number[];
  readonly objects?: readonly number[];
  /** With `legacy`: every object in a group must have a signature of its own. Otherwise everything is checked anyway. */
  readonly all?: boolean;
  /** Only signatures in the format from before Singularity 3.6, which protect neither header nor descriptors. */
  readonly legacy?: boolean;
}

/** One group or object and the signatures that must be good for it. */
export interface Task {
  readonly form: 'group' | 'object';
  readonly group: number;
  /** What must be covered: all objects of the group, or the one object. */
  readonly objects: readonly Descriptor[];
  /** Signature objects to look at; which of them are of the wanted format shows when they are read. */
  readonly signatures: readonly Descriptor[];
  /** For the message when there is none: `object group 1` or `object 3`. */
  readonly subject: string;
}

/**
 * What has to be verified, in order (SIF contract §2.7 and §2.8).
 * @throws VerificationFailure when the image or the selection does not allow a verification
 */
export function tasksFor(image: SifImage, selection: Selection): Task[] {
  const { groups, objects } = selection;
  if (groups === undefined && objects === undefined) return wholeImage(image, selection);
  checkNotHidden(image);
  return [
    ...(groups ?? []).map((group) => groupTask(image, group)),
    ...(objects ?? []).map((id) =>
      selection.legacy === true ? objectTask(image, find(image, id)) : coveringTask(image, find(image, id)),
    ),
  ];
}

function wholeImage(image: SifImage, { all, legacy }: Selection): Task[] {
  const groups = groupsOf(image);
  if (groups.length === 0) throw failed('no_groups', 'no groups found');
  checkNotHidden(image);
  if (legacy === true) return legacyTasks(image, all ?? false);
  // Such an object could be anything, and no signature can ever cover it.
  if (objectsInGroup(image, 0).some(({ type }) => type !== DataType.signature))
    throw failed('ungrouped_object', 'non-signature object not associated with object group');
  return groups.map((group) => groupTask(image, group));
}

function legacyTasks(image: SifImage, all: boolean): Task[] {
  const objects = image.descriptors.filter((one) =>
    all
      ? groupOf(one) !== 0 && one.type !== DataType.signature
      : isPartitionOfType(one, PartitionType.primary),
  );
  if (objects.length === 0) throw failed('object_not_found', 'object not found');
  return objects.map((object) => objectTask(image, object));
}

/** A header that counts every descriptor as free hides all objects from the stock tools: never say "verified" to that. */
function checkNotHidden(image: SifImage): void {
  const { descriptorsFree, descriptorsTotal } = image.header;
  if (descriptorsFree === descriptorsTotal) throw failed('no_objects', 'no objects in image');
}

function find(image: SifImage, id: number): Descriptor {
  try {
    return objectById(image, id);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    const [message = 'object not found'] = error.message.split(':');
    throw failed('object_not_found', message, { objectId: id });
  }
}

function groupTask(image: SifImage, group: number): Task {
  if (group === 0) throw failed('invalid_group', 'invalid group ID');
  const objects = objectsInGroup(image, group);
  if (objects.length === 0) throw failed('group_not_found', 'group not found');
  return {
    form: 'group',
    group,
    objects,
    signatures: signaturesOf(image, 'group', group),
    subject: `object group ${group}`,
  };
}

/** One object, by the signatures of its group. */
function coveringTask(image: SifImage, object: Descriptor): Task {
  const group = groupOf(object);
  if (group === 0) throw failed('invalid_group', 'invalid group ID', { objectId: object.id });
  return {
    form: 'object',
    group,
    objects: [object],
    signatures: signaturesOf(image, 'group', group),
    subject: `object group ${group}`,
  };
}

/** One object, by legacy signatures of its own. */
function objectTask(image: SifImage, object: Descriptor): Task {
  return {
    form: 'object',
    group: groupOf(object),
    objects: [object],
    signatures: signaturesOf(image, 'object', object.id),
    subject: `object ${object.id}`,
  };
}

function signaturesOf(image: SifImage, kind: 'group' | 'object', id: number): Descriptor[] {
  return objectsLinkedTo(image, kind, id).filter(({ type }) => type === DataType.signature);
}

import { z } from 'zod';
import type { ImageDetails } from '#libs/contract';
import { DomainError } from '#libs/core';
import {
  DataType,
  type Descriptor,
  groupOf,
  inspectMetadata,
  linkOf,
  nameOf,
  objectsOfType,
  readObject,
  type SifImage,
  typeText,
} from '#libs/sif';
import { LIMITS } from '../limits.js';

/** What an image says of itself under a name. */
export interface Label {
  readonly name: string;
  readonly value: string;
}

/**
 * What `inspect` of every program shows (SIF contract §4.2). An image may say anything, in any shape: what is no text is left out, and
 * nothing of it is an error.
 */
const Metadata = z.object({
  data: z.object({
    attributes: z.object({
      labels: z.record(z.string(), z.unknown()).catch({}).default({}),
      helpfile: z.string().optional().catch(undefined),
      deffile: z.string().optional().catch(undefined),
    }),
  }),
});
type Attributes = Partial<z.output<typeof Metadata>['data']['attributes']>;

/** Labels that are kept with an image, as far as that: short, and not too many. */
export async function keptLabels(image: SifImage): Promise<readonly Label[]> {
  const { labels = {} } = await attributesOf(image);
  return labelsOf(labels)
    .slice(0, LIMITS.labels)
    .map(({ name, value }) => ({ name: cut(name, LIMITS.labelName), value: cut(value, LIMITS.labelValue) }));
}

/**
 * What the objects of an image say that stand beside its file system. What is in the file system is not read: a server unpacks nothing.
 */
export async function detailsOf(image: SifImage): Promise<ImageDetails> {
  const { labels = {}, helpfile, deffile } = await attributesOf(image);
  const all = labelsOf(labels);
  const definition = textIn(deffile) ?? (await definitionOf(image));
  const help = textIn(helpfile);
  const texts = [definition, help].filter((text) => text !== undefined);
  return {
    labels: all.slice(0, LIMITS.detailLabels).map(({ name, value }) => ({
      name: cut(name, LIMITS.labelName),
      value: cut(value, LIMITS.detailLabel),
    })),
    definition: definition === undefined ? null : cut(definition, LIMITS.detailText),
    help: help === undefined ? null : cut(help, LIMITS.detailText),
    objects: image.descriptors.slice(0, LIMITS.detailObjects).map(objectOf),
    cut:
      all.length > LIMITS.detailLabels ||
      all.some(({ name, value }) => name.length > LIMITS.labelName || value.length > LIMITS.detailLabel) ||
      texts.some((text) => text.length > LIMITS.detailText) ||
      image.descriptors.length > LIMITS.detailObjects,
  };
}

async function attributesOf(image: SifImage): Promise<Attributes> {
  const text = await textOf(image, inspectMetadata(image));
  if (text === undefined) return {};
  try {
    const parsed = Metadata.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data.data.attributes : {};
  } catch {
    return {};
  }
}

async function definitionOf(image: SifImage): Promise<string | undefined> {
  return textOf(image, objectsOfType(image, DataType.definition)[0]);
}

/** Undefined for one that is not there, is too large, or lies nowhere in the file. */
async function textOf(image: SifImage, descriptor: Descriptor | undefined): Promise<string | undefined> {
  if (descriptor === undefined) return undefined;
  try {
    return plain((await readObject(image, descriptor, LIMITS.detailBytes)).toString('utf8'));
  } catch (error) {
    if (error instanceof DomainError) return undefined;
    throw error;
  }
}

function labelsOf(labels: Readonly<Record<string, unknown>>): Label[] {
  return Object.entries(labels)
    .flatMap(([name, value]) =>
      typeof value === 'string' ? [{ name: plain(name), value: plain(value) }] : [],
    )
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function objectOf(descriptor: Descriptor): ImageDetails['objects'][number] {
  const link = linkOf(descriptor);
  const group = groupOf(descriptor);
  return {
    id: descriptor.id,
    type: typeText(descriptor),
    name: plain(nameOf(descriptor)),
    size: Number(descriptor.size),
    group: group === 0 ? null : group,
    link: link === undefined ? null : `${link.kind} ${link.id}`,
  };
}

const textIn = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : plain(text);

/** What no document can hold, and no terminal should get. */
function plain(text: string): string {
  return text.toWellFormed().replaceAll('\0', '');
}

/** Not between the halves of a character. */
function cut(text: string, most: number): string {
  return text.slice(0, most).toWellFormed();
}

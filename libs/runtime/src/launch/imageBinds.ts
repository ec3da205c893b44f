import type { Message } from '../answer.js';
import type { Facts } from '../facts.js';
import type { ImagePartition, OpenedImage } from '../host.js';
import type { ImageSource } from '../options/bindSpec.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import type { MountImage, SessionPath } from '../plan.js';
import { refusal } from '../refusal.js';
import { checkKind, usablePart } from './allowed.js';
import { ext3Backends, squashfsBackends } from './backends.js';
import type { HostBind } from './binds.js';
import { READ_ONLY, SESSION } from './layout.js';
import type { Mode } from './mode.js';
import type { MountList } from './mountList.js';

interface Launch {
  readonly options: LaunchOptions;
  readonly facts: Facts;
  readonly mode: Mode;
  readonly messages: Message[];
}

/**
 * A bind out of an image (`image-src=`, `id=`; runtime contract §1.5): the image is mounted in the session, once for all binds of the same partition.
 * @throws DomainError (status 255) when the image is none, not allowed, or has no such partition
 */
export function addImageBind(
  list: MountList,
  bind: HostBind & { readonly image: ImageSource },
  launch: Launch,
): void {
  const image = launch.facts.bindImages.get(bind.source);
  if (image === undefined) throw refusal(`could not open image ${bind.source}`);
  const at = dataImage(list, image, bind.image.object, launch);
  list.bind({
    source: { kind: 'image', at, path: bind.image.path },
    to: bind.destination,
    prepare: { type: 'like', at, inside: bind.image.path },
    flags: READ_ONLY,
    onFailure: 'fatal',
  });
}

/** Where the partition is mounted; adds the steps for that when it is not there yet. */
function dataImage(
  list: MountList,
  image: OpenedImage,
  object: number | null,
  { options, facts, mode, messages }: Launch,
): SessionPath {
  if (image.type === 'directory') throw refusal(`${image.path} is a directory: it has no image-src`);
  checkKind(image, facts.configuration, 'source of binds');
  const { fileSystem, file } = usablePart(image, chosenPartition(image, object));
  const mounted = list.session.filter((step): step is MountImage => step.kind === 'mount_image');
  const known = mounted.find(
    (step) => step.image.handle === file.handle && step.image.offset === file.offset,
  );
  if (known !== undefined) return known.at;
  const at = `${SESSION.data}/${mounted.length}`;
  list.directory(at, 0o755);
  list.session.push({
    kind: 'mount_image',
    image: file,
    at,
    flags: READ_ONLY,
    backends:
      fileSystem === 'ext3'
        ? ext3Backends(image, facts, mode)
        : squashfsBackends(facts, mode, messages, options),
  });
  return at;
}

function chosenPartition(image: OpenedImage, object: number | null): ImagePartition {
  if (object !== null) {
    const numbered = image.others.find(({ id }) => id === object);
    if (numbered !== undefined) return numbered;
    throw refusal(`image ${image.path} has no data or overlay partition ${object}`);
  }
  const part = image.others.find(({ kind }) => kind === 'data') ?? image.partition;
  if (part !== null) return part;
  throw refusal(`could not use image ${image.path}: ${image.problem ?? 'it has no partition'}`);
}

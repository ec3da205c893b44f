import { DomainError, expected } from '#libs/core';

/** Where images come from, by the way they are fetched. */
export type Transport = 'library' | 'oras' | 'web';

/** What has to become one file first (runtime contract §1.7), with what it is called in sentences. */
const LAYERED: Readonly<Record<string, string>> = {
  docker: 'images of docker://',
  'docker-daemon': 'images of a Docker daemon',
  'docker-archive': 'archives of docker save',
  oci: 'OCI layouts',
  'oci-archive': 'archives of OCI layouts',
};

/** The word in front of a reference: `library`, `oci`; undefined for a path. */
export function schemeOf(text: string): string | undefined {
  return (
    /^([a-z][a-z0-9+.-]*):\/\//.exec(text)?.[1] ??
    /^(docker-daemon|docker-archive|oci|oci-archive):/.exec(text)?.[1]
  );
}

/**
 * What a reference without a word in front means where no file can be meant: an image of the library. SingularityCE pulls and
 * deletes it so, Apptainer deletes it (library contract §10).
 */
export function orLibrary(text: string): string {
  return schemeOf(text) === undefined && !/^[./]/.test(text) ? `library://${text}` : text;
}

/**
 * How an image is fetched.
 * @throws DomainError with what helps, for everything that is not fetched as it is
 */
export function transportOf(text: string): Transport {
  const scheme = schemeOf(text);
  if (scheme === 'library' || scheme === 'oras') return scheme;
  if (scheme === 'http' || scheme === 'https') return 'web';
  if (scheme === undefined)
    throw new DomainError('bad_request', expected('library://…, oras://… or https://…', 'the image', text), {
      reason: 'unsupported_transport',
      remedy: 'The word in front says where an image comes from: library://entity/collection/container:tag',
    });
  throw refusalOf(scheme, text);
}

/** Why nothing is fetched from a place, and what helps. The same words for every command. */
function refusalOf(scheme: string, text: string): DomainError {
  if (scheme === 'shub')
    return new DomainError('gone', `Singularity Hub was closed in 2021: ${text} cannot be fetched any more`, {
      reason: 'unsupported_transport',
      remedy: 'Look for the image in a library (sing search), or ask whoever made it where it is now',
    });
  const what = LAYERED[scheme];
  if (what !== undefined)
    return new DomainError(
      'not_implemented',
      `${what[0]?.toUpperCase()}${what.slice(1)} are not fetched by this version: ${text}`,
      {
        reason: 'unsupported_transport',
        remedy: `Make a SIF file of it first: ${conversion(scheme, text)}sing build image.sif ${scheme === 'oci' ? text : 'oci:FOLDER:latest'}`,
      },
    );
  return new DomainError('bad_request', `unsupported transport type: ${scheme}`, {
    reason: 'unsupported_transport',
    remedy: 'Images come from library://, oras:// and https://',
  });
}

/** Why an image is not pushed to a place. */
export function refusePush(text: string): DomainError {
  return new DomainError('bad_request', expected('library://… or oras://…', 'the place of a push', text), {
    reason: 'unsupported_transport',
    remedy:
      'A library takes it as library://entity/collection/container:tag, a registry as oras://host/name:tag',
  });
}

/**
 * Refuses what a build on this machine does not begin with, before anything is made ready for it.
 * @throws DomainError with what helps
 */
export function refuseBuildSource(text: string): void {
  const scheme = schemeOf(text);
  if (scheme === undefined || scheme === 'library' || scheme === 'oci') return;
  if (scheme !== 'oras' && scheme !== 'http' && scheme !== 'https') throw refusalOf(scheme, text);
  throw new DomainError('not_implemented', `A build does not begin with ${text} itself`, {
    reason: 'unsupported_transport',
    remedy: `Fetch it first: sing pull base.sif ${text}, then build from base.sif`,
  });
}

function conversion(scheme: string, text: string): string {
  return scheme === 'oci' ? '' : `skopeo copy ${text} oci:FOLDER:latest, then `;
}

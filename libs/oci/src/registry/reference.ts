import { DomainError, expected } from '#libs/core';

/** The tag that a reference without one means. */
const DEFAULT_TAG = 'latest';

const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?';
const HOST = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[0-9A-Fa-f:]{2,45}\\])(?::[0-9]{1,5})?$`);
/** OCI distribution specification, "Pulling manifests": names and tags. */
const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const MAXIMUM_NAME = 255;
const MAXIMUM_HOST = 260;

/** Something in a registry. */
export interface RegistryReference {
  /** `host` or `host:port`. */
  readonly host: string;
  readonly name: string;
  /** What is asked for: the digest when one was given, else the tag. */
  readonly by: { readonly tag: string } | { readonly digest: string };
}

/** Whether text names a registry: `host` or `host:port`. */
export function isRegistryHost(text: string): boolean {
  return text.length <= MAXIMUM_HOST && HOST.test(text);
}

/**
 * Reads `oras://host[:port]/name[:tag][@sha256:…]`. With a digest the tag is for people and is not looked at.
 * @throws DomainError `bad_request` with the part that is wrong
 */
export function parseRegistryReference(text: string): RegistryReference {
  const rest = text.replace(/^[a-z]+:\/\//, '');
  const slash = rest.indexOf('/');
  const host = slash < 0 ? rest : rest.slice(0, slash);
  if (slash < 0 || !isRegistryHost(host)) throw invalid('host[:port]/name', 'the registry', rest);
  const [path = '', digest, ...more] = rest.slice(slash + 1).split('@');
  if (more.length > 0 || (digest !== undefined && !DIGEST.test(digest)))
    throw invalid('sha256:<64 hex digits>', 'the digest', [digest, ...more].join('@'));
  const colon = path.indexOf(':');
  const name = colon < 0 ? path : path.slice(0, colon);
  const tag = colon < 0 ? DEFAULT_TAG : path.slice(colon + 1);
  if (name.length > MAXIMUM_NAME || !NAME.test(name))
    throw invalid('lower-case words joined by ".", "_", "-" and "/"', 'the name in a registry', name);
  if (!TAG.test(tag)) throw invalid('letters, digits, ".", "_" and "-"', 'a tag', tag);
  return { host, name, by: digest === undefined ? { tag } : { digest } };
}

/** The tag or digest as it stands in addresses. */
export function referenceWord({ by }: RegistryReference): string {
  return 'digest' in by ? by.digest : by.tag;
}

/** `host/name:tag` or `host/name@sha256:…`, for messages. */
export function referenceText({ host, name, by }: RegistryReference): string {
  return 'digest' in by ? `${host}/${name}@${by.digest}` : `${host}/${name}:${by.tag}`;
}

function invalid(what: string, name: string, got: string): DomainError {
  return new DomainError('bad_request', expected(what, name, got), {
    reason: 'invalid_reference',
    remedy: 'A reference looks like oras://registry.example.org/group/name:tag.',
  });
}

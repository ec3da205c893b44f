import { DomainError, expected } from '#libs/core';

/**
 * The registry that `docker://host[:port]` or `oras://host[:port]` names.
 * @throws DomainError: "URI needs `docker://` or `oras://`; else 255" (runtime contract §1.6)
 */
export async function registryHost(uri: string): Promise<string> {
  const { isRegistryHost } = await import('#libs/oci');
  const host = /^(?:docker|oras):\/\/([^/]+)\/?$/.exec(uri)?.[1];
  if (host !== undefined && isRegistryHost(host)) return host;
  throw new DomainError(
    'bad_request',
    expected('oras://host[:port] or docker://host[:port]', 'a registry', uri),
    {
      reason: 'bad_registry',
      remedy: 'For example: sing registry login oras://ghcr.io',
    },
  );
}

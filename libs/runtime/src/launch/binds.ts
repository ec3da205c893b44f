import type { Configuration } from '../configuration/configuration.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import type { ImageSource } from '../options/bindSpec.js';
import { absolutePath, cleanPath } from '../paths.js';
import type { AbsolutePath } from '../plan.js';

/** A bind with its paths made absolute. */
export interface HostBind {
  readonly source: AbsolutePath;
  readonly destination: AbsolutePath;
  readonly readOnly: boolean;
  readonly image?: ImageSource;
}

/** The `bind path` entries of the configuration; those that are not absolute are left out. */
export function siteBinds(configuration: Configuration): readonly HostBind[] {
  const binds: HostBind[] = [];
  for (const entry of configuration.bindPaths) {
    const colon = entry.indexOf(':');
    const source = colon < 0 ? entry : entry.slice(0, colon);
    const destination = colon < 0 ? entry : entry.slice(colon + 1);
    if (source.startsWith('/') && destination.startsWith('/'))
      binds.push({ source: cleanPath(source), destination: cleanPath(destination), readOnly: false });
  }
  return binds;
}

/**
 * The binds of the caller, sources made absolute against the working directory.
 * @throws DomainError (status 255) for a relative source without working directory
 */
export function userBinds(
  options: LaunchOptions,
  workingDirectory: AbsolutePath | null,
): readonly HostBind[] {
  return options.binds.map((bind) => {
    const source = absolutePath(workingDirectory, bind.source);
    return {
      source,
      destination: bind.destination ?? source,
      readOnly: bind.readOnly,
      ...(bind.image === undefined ? {} : { image: bind.image }),
    };
  });
}

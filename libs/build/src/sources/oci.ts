import { applyLayer, openLayout, type RunConfig, verifyLayer } from '#libs/oci';
import type { Base, BaseRequest } from './base.js';

/** `bootstrap: oci`, `from: <layout folder>[:tag]` (definition contract §11). @throws DomainError */
export async function fillFromOci(request: BaseRequest, from: string): Promise<Base> {
  const { tree, log, signal } = request;
  const colon = from.lastIndexOf(':');
  const [folder, tag] =
    colon > from.lastIndexOf('/') ? [from.slice(0, colon), from.slice(colon + 1)] : [from, undefined];
  const image = await openLayout(folder, { tag, architecture: request.architecture });
  for (const [index, layer] of image.layers.entries()) {
    log.info(`Unpacking layer ${index + 1} of ${image.layers.length}`);
    await verifyLayer(layer, signal);
    await applyLayer(tree, layer, { signal, warn: (message) => log.warning(message) });
  }
  return {
    keepSkeleton: false,
    ociConfig: JSON.stringify(image.run),
    finish: async () => {
      await tree.write('.singularity.d/env/10-docker2singularity.sh', environmentScript(image.run), 0o755);
      await tree.write('.singularity.d/runscript', runScript(image.run), 0o755);
      const labels = image.run.Labels ?? {};
      if (Object.keys(labels).length > 0)
        await tree.write('.singularity.d/labels.json', JSON.stringify(labels), 0o644);
    },
  };
}

const quote = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`;

/** Each variable is exported only if unset, except PATH, which is exported as it is (definition contract §9). */
export function environmentScript(run: RunConfig): string {
  const lines = (run.Env ?? []).flatMap((entry) => {
    const equals = entry.indexOf('=');
    const name = entry.slice(0, equals);
    if (equals < 1 || !/^[A-Za-z_]\w*$/.test(name)) return [];
    const value = quote(entry.slice(equals + 1));
    return name === 'PATH'
      ? [`export PATH=${value}`]
      : [`[ -n "\${${name}+set}" ] || export ${name}=${value}`];
  });
  return `#!/bin/sh\n${lines.map((line) => `${line}\n`).join('')}`;
}

/** Arguments replace CMD and are appended to ENTRYPOINT (definition contract §9). */
export function runScript(run: RunConfig): string {
  const entrypoint = (run.Entrypoint ?? []).map(quote).join(' ');
  const command = (run.Cmd ?? []).map(quote).join(' ');
  if (entrypoint === '' && command === '') return '#!/bin/sh\n\nexec /bin/sh "$@"\n';
  return `#!/bin/sh

if [ $# -gt 0 ]; then
    set -- ${`${entrypoint} "$@"`.trim()}
else
    set -- ${`${entrypoint} ${command}`.trim()}
fi
exec "$@"
`;
}

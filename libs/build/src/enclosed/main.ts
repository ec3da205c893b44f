import { mkdir } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { DomainError, messageOf, RootTree, systemClock } from '#libs/core';
import { parseDefinition } from '#libs/deffile';
import { unpackArchive } from '#libs/oci';
import { buildImage, type BuiltImage } from '../engine.js';
import type { BuildLog } from '../log.js';
import type { HostFiles } from '../rootfs/files.js';
import { NamespaceRunner } from '../namespace-runner.js';
import { type EnclosedEvent, EnclosedRequest, LONGEST_REQUEST } from './protocol.js';

/** Bytes of output in one event. */
const OUTPUT_CHUNK = 64 * 1024;

const log: BuildLog = {
  info: (message) => tell({ kind: 'info', message }),
  warning: (message) => tell({ kind: 'warning', message }),
  output: (chunk) => {
    for (let at = 0; at < chunk.length; at += OUTPUT_CHUNK) {
      tell({ kind: 'output', base64: Buffer.from(chunk.subarray(at, at + OUTPUT_CHUNK)).toString('base64') });
    }
  },
};

function tell(event: EnclosedEvent): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

async function readRequest(): Promise<EnclosedRequest> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LONGEST_REQUEST) throw new Error('The request is too long');
    chunks.push(chunk);
  }
  return EnclosedRequest.parse(JSON.parse(Buffer.concat(chunks).toString('utf8')));
}

async function hostFiles({
  context,
  workFolder,
  localFiles,
}: EnclosedRequest): Promise<HostFiles | undefined> {
  if (context === undefined)
    return localFiles ? { tree: await RootTree.open('/'), workingDirectory: process.cwd() } : undefined;
  const folder = join(workFolder, 'context');
  await mkdir(folder, { mode: 0o700 });
  const tree = await RootTree.open(folder);
  await unpackArchive(tree, createReadStream(context.archive), { warn: (message) => log.warning(message) });
  return { tree, workingDirectory: context.workingDirectory };
}

async function build(request: EnclosedRequest): Promise<BuiltImage> {
  const definition = parseDefinition(request.definition, {
    buildArguments: new Map(Object.entries(request.buildArguments)),
  });
  for (const warning of definition.warnings) log.warning(warning);
  return buildImage({
    definition,
    output: request.output,
    workFolder: request.workFolder,
    host: await hostFiles(request),
    pull: async (from) => {
      const path = request.bases[from];
      if (path === undefined) throw new Error(`The base ${from} was not fetched`);
      return path;
    },
    localFiles: request.localFiles,
    runner: new NamespaceRunner(),
    log,
    clock: systemClock,
    version: request.version,
    force: request.force,
    runTests: request.runTests,
    signal: undefined,
  });
}

/** The enclosed process: root of its user namespace, nobody outside. Whoever started it ends it by ending its namespaces. */
try {
  const { size, architecture } = await build(await readRequest());
  tell({ kind: 'built', size, architecture });
} catch (error) {
  const known = error instanceof DomainError;
  tell({
    kind: 'failed',
    message: known ? error.message : `A bug stopped the build: ${messageOf(error)}`,
    reason: known ? error.reason : 'internal',
    ...(known && error.remedy !== undefined && { remedy: error.remedy }),
  });
  process.exitCode = 1;
}

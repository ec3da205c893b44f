import { mkdir, writeFile } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { join } from 'node:path';
import { DomainError, messageOf, RootTree, systemClock, systemCode } from '#libs/core';
import { parseDefinition } from '#libs/deffile';
import { unpackArchive } from '#libs/oci';
import { buildImage, type BuiltImage } from '../engine.js';
import { outOfSpace } from '../failure.js';
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

async function hostFiles({ context, workFolder }: EnclosedRequest): Promise<HostFiles | undefined> {
  if (context === undefined) return undefined;
  const folder = join(workFolder, 'context');
  await mkdir(folder, { mode: 0o700 });
  const tree = await RootTree.open(folder);
  await unpackArchive(tree, createReadStream(context.archive), {
    warn: (message) => log.warning(message),
    limitBytes: context.limitBytes,
  });
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
    bases: request.bases,
    runner: new NamespaceRunner(),
    network: request.network,
    log,
    clock: systemClock,
    version: request.version,
    force: request.force,
    runTests: request.runTests,
    signal: undefined,
  });
}

/** What the author of the definition is told; undefined for what is nobody's fault but ours. */
function known(error: unknown): DomainError | undefined {
  if (error instanceof DomainError) return error;
  const code = systemCode(error) ?? '';
  if (code === 'ENOSPC' || code === 'EDQUOT') return outOfSpace(error);
  return undefined;
}

/** When memory is short the kernel ends builds before the services that run beside them; and those go first when the processors are busy. */
async function volunteer({ background }: EnclosedRequest): Promise<void> {
  await writeFile('/proc/self/oom_score_adj', '500').catch(() => undefined);
  const { PRIORITY_BELOW_NORMAL } = constants.priority;
  if (background && getPriority() < PRIORITY_BELOW_NORMAL) setPriority(PRIORITY_BELOW_NORMAL);
}

/** The enclosed process: root of its user namespace, nobody outside. Whoever started it ends it by ending its namespaces. */
try {
  const request = await readRequest();
  await volunteer(request);
  const { size, architecture } = await build(request);
  tell({ kind: 'built', size, architecture });
} catch (error) {
  const fault = known(error);
  tell({
    kind: 'failed',
    message: fault?.message ?? `A bug stopped the build: ${messageOf(error)}`,
    reason: fault?.reason ?? 'internal',
    ...(fault?.remedy !== undefined && { remedy: fault.remedy }),
  });
  process.exitCode = 1;
}

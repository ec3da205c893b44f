import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { auditFolder, HEADS_BEGIN, HeadsFile, type HeadsPlace, TrailReader } from '#libs/audit';
import { loadConfig, type ScsConfig } from '#libs/config';
import {
  AUDIT_LIMITS,
  AUDITED_SERVICES,
  type AudienceName,
  type AuditEntry,
  type AuditFilter,
  type AuditHeadLine,
  SigningJwk,
} from '#libs/contract';
import type { Documents } from '#libs/documents';
import { openStopped } from '../stopped.store.js';
import type { OpenedTrail } from './opened-trail.js';

const REMEDY = 'Name the state folder in SCS_HOME, or choose services with --service';

/**
 * Runs work on the trails in the databases of an instance that is stopped.
 * @param env its settings; the services are those of SCS_SERVICES where none are named
 * @throws DomainError when a database is in use or cannot be opened, or there is none
 */
export async function withStoppedTrails<T>(
  env: Readonly<Record<string, string>>,
  services: readonly AudienceName[] | undefined,
  work: (trails: readonly OpenedTrail[]) => Promise<T>,
): Promise<T> {
  const config = loadConfig(env);
  const chosen = services ?? AUDITED_SERVICES.filter((service) => config.runs(service));
  const open: Documents[] = [];
  try {
    const trails: OpenedTrail[] = [];
    for (const service of chosen) {
      const documents = await openStopped(config, service, { remedy: REMEDY });
      open.push(documents);
      trails.push(trailOf(config, service, documents));
    }
    return await work(trails);
  } finally {
    await Promise.all(open.map((documents) => documents.close()));
  }
}

function trailOf(config: ScsConfig, service: AudienceName, documents: Documents): OpenedTrail {
  const reader = new TrailReader(documents);
  const dataFolder = config.dataFolder(service);
  const file = new HeadsFile(dataFolder, service);
  return {
    service,
    list: (filter, limit) => listed(reader, filter, limit),
    newestHeads: async () => [await file.newest()].filter((line) => line !== undefined),
    source: {
      service,
      keys: () => publicKeys(join(auditFolder(dataFolder), 'head-key.json')),
      entries: (after) => entries(reader, after),
      heads: () => heads(file),
    },
  };
}

async function* listed(reader: TrailReader, filter: AuditFilter, limit: number): AsyncGenerator<AuditEntry> {
  let below: string | undefined;
  do {
    const page = await reader.list(filter, Math.min(limit, AUDIT_LIMITS.page), below);
    for (const { entry } of page.listed) yield entry;
    below = page.reached;
  } while (below !== undefined);
}

async function* entries(reader: TrailReader, after: number): AsyncGenerator<AuditEntry> {
  let cursor: string | undefined;
  do {
    const page = await reader.chain(after, AUDIT_LIMITS.page, cursor);
    yield* page.entries;
    cursor = page.cursor;
  } while (cursor !== undefined);
}

async function* heads(file: HeadsFile): AsyncGenerator<AuditHeadLine> {
  let from: HeadsPlace | undefined = HEADS_BEGIN;
  while (from !== undefined) {
    const page = await file.read(from, AUDIT_LIMITS.page);
    yield* page.heads;
    from = page.next;
  }
}

/** The public half of the key; none where the service has never run. */
async function publicKeys(file: string): Promise<readonly SigningJwk[]> {
  if (!existsSync(file)) return [];
  return [SigningJwk.parse(JSON.parse(await readFile(file, 'utf8')))];
}

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { TrailReport } from '#libs/audit';
import { defineCommand, jsonFlag } from '#libs/cli';
import { AuditHeadLine } from '#libs/contract';
import { DomainError, messageOf } from '#libs/core';
import type { OpenedTrail } from './opened-trail.js';
import { trailFlags, withTrails } from './trails.js';

export const auditVerify = defineCommand({
  name: 'verify',
  summary: 'prove that nobody has changed the audit trails',
  description:
    'Computes the chain of every service anew from all its entries, and compares it with every signed head beside its database. Names the first entry that was ' +
    'changed, removed, added or replaced, and a cut end. Heads that were kept elsewhere (scs audit heads) find what somebody could hide who may write to the databases ' +
    'and to the state folder. Exits with 1 when something is wrong.',
  flags: {
    ...trailFlags,
    heads: {
      type: 'list',
      value: 'FILE',
      summary: 'compare also with heads that scs audit heads printed once',
    },
    ...jsonFlag,
  },
  examples: [
    { line: 'scs audit verify', summary: 'every service' },
    {
      line: 'scs audit verify --heads /mnt/safe/heads.jsonl',
      summary: 'with heads that were kept elsewhere',
    },
    { line: 'scs audit verify --offline --service library', summary: 'the library of a stopped instance' },
  ],
  async run(ctx) {
    const copies = (
      await Promise.all(ctx.flags.heads.map((file) => readHeads(resolve(ctx.cwd, file))))
    ).flat();
    const now = ctx.flags.offline ? undefined : new Date();
    const reports = await withTrails(ctx, ctx.flags, async (trails) => {
      const all: TrailReport[] = [];
      for (const trail of trails) {
        const report = await check(trail, { copies, ...(now === undefined ? {} : { now }) });
        ctx.signal.throwIfAborted();
        if (!ctx.flags.json) say(report, (line) => ctx.out.line(line));
        all.push(report);
      }
      return all;
    });
    if (ctx.flags.json) ctx.out.json({ trails: reports });
    return reports.every(({ problems }) => problems.length === 0) ? 0 : 1;
  },
});

/** A trail that cannot be read is not a good one. */
async function check(
  { service, source }: OpenedTrail,
  options: { readonly copies: readonly AuditHeadLine[]; readonly now?: Date },
): Promise<TrailReport> {
  const { unreadTrail, verifyTrail } = await import('#libs/audit');
  try {
    return await verifyTrail(source, options);
  } catch (error) {
    return unreadTrail(service, messageOf(error));
  }
}

function say(report: TrailReport, line: (text: string) => void): void {
  const { service, last, heads, signedUpTo, problems } = report;
  const [first] = problems;
  if (problems.length === 0) {
    const open = last.sequence - signedUpTo;
    const tail = open === 0 ? '' : `, ${open} of them not signed yet`;
    line(
      `${service}: ${count(last.sequence, 'entry', 'entries')}, ${count(heads, 'signed head', 'signed heads')}${tail}: nothing was changed`,
    );
    return;
  }
  if (first?.kind === 'unreadable') {
    line(`${service}: NOT VERIFIED. ${first.message}`);
    return;
  }
  line(`${service}: NOT AS IT WAS WRITTEN; entries 1 to ${last.sequence} follow each other`);
  for (const { message } of problems) line(`  ${message}`);
}

function count(number: number, one: string, more: string): string {
  return `${number} ${number === 1 ? one : more}`;
}

/** @throws DomainError for a file that `scs audit heads` did not print */
async function readHeads(file: string): Promise<AuditHeadLine[]> {
  const lines = (await readFile(file, 'utf8')).split('\n');
  return lines.flatMap((text, index) => {
    if (text.trim() === '') return [];
    try {
      const head = AuditHeadLine.omit({ line: true }).parse(JSON.parse(text));
      return [{ ...head, line: index + 1 }];
    } catch (cause) {
      throw new DomainError('bad_request', `Line ${index + 1} of ${file} is no head of scs audit heads`, {
        reason: 'bad_heads_file',
        cause,
      });
    }
  });
}

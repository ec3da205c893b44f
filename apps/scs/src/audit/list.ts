import { defineCommand, jsonFlag } from '#libs/cli';
import { AuditAction, type AuditEntry, type AuditFilter, AuditOutcome } from '#libs/contract';
import { messageOf } from '#libs/core';
import { newestFirst } from './newest-first.js';
import { parseTime } from './times.js';
import { trailFlags, withTrails } from './trails.js';

export const auditList = defineCommand({
  name: 'list',
  summary: 'list what was changed and refused, newest first',
  description:
    'Asks every service of the instance. A subject is a user name, the id of a token or build, the fingerprint of a key, or a place in the library: ' +
    'entity/collection/container stands for everything that happened there, with :tag for one tag. Times are UTC.',
  flags: {
    ...trailFlags,
    actor: { type: 'string', value: 'USER', summary: 'by this user' },
    action: { type: 'string', value: 'ACTION', choices: AuditAction.options, summary: 'of this kind' },
    subject: { type: 'string', value: 'NAME', summary: 'about this' },
    outcome: { type: 'string', value: 'OUTCOME', choices: AuditOutcome.options, summary: 'that ended so' },
    since: {
      type: 'string',
      value: 'TIME',
      summary: 'from then on: 7d, 12h, 2026-11-26, 2026-11-26T10:00:00Z',
    },
    until: { type: 'string', value: 'TIME', summary: 'until then' },
    limit: {
      type: 'integer',
      value: 'NUMBER',
      minimum: 1,
      maximum: 100_000,
      default: 50,
      summary: 'how many at most',
    },
    ...jsonFlag,
  },
  examples: [
    { line: 'scs audit list --since 1d --outcome refused', summary: 'what was refused since yesterday' },
    { line: 'scs audit list --subject alice/tools/blast', summary: 'the history of a container' },
    { line: 'scs audit list --actor alice --action token.create', summary: 'tokens that alice made' },
  ],
  async run(ctx) {
    const { limit, json } = ctx.flags;
    const filter = filterOf(ctx.flags, new Date());
    const failures: string[] = [];
    const entries = await withTrails(ctx, ctx.flags, (trails) =>
      newestFirst(
        trails.map(({ service, list }) => ({ service, entries: list(filter, limit) })),
        limit,
        (service, error) => {
          ctx.signal.throwIfAborted();
          failures.push(`The trail of ${service} cannot be read: ${messageOf(error)}`);
        },
      ),
    );
    for (const failure of failures) ctx.log.warning(failure);
    if (json) ctx.out.json({ entries });
    else ctx.out.table(['TIME', 'SERVICE', 'ACTION', 'OUTCOME', 'BY', 'SUBJECT', 'FROM'], entries.map(rowOf));
    return failures.length === 0 ? 0 : 1;
  },
});

interface FilterFlags {
  readonly actor: string | undefined;
  readonly action: string | undefined;
  readonly subject: string | undefined;
  readonly outcome: string | undefined;
  readonly since: string | undefined;
  readonly until: string | undefined;
}

function filterOf({ actor, action, subject, outcome, since, until }: FilterFlags, now: Date): AuditFilter {
  return {
    actor,
    subject,
    action: AuditAction.optional().parse(action),
    outcome: AuditOutcome.optional().parse(outcome),
    since: since === undefined ? undefined : parseTime(since, '--since', now),
    until: until === undefined ? undefined : parseTime(until, '--until', now),
  };
}

function rowOf(entry: AuditEntry): string[] {
  const { time, service, action, outcome, reason, actor, subject, address } = entry;
  const who = actor === null ? '-' : `${actor.username}${actor.via === null ? '' : ` (by ${actor.via})`}`;
  return [
    time,
    service,
    action,
    reason === null ? outcome : `${outcome}: ${reason}`,
    who,
    subject.name,
    address ?? '-',
  ];
}

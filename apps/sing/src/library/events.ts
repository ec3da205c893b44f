import { defineCommand, formatSize, type Output, printable } from '#libs/cli';
import type { ToldEvent } from '#libs/client';
import { kindFlag, kindsIn } from './kinds.js';
import { parseEntity, withLibraryHttp } from './path.js';

export const libraryEvents = defineCommand({
  name: 'events',
  summary: 'show what happens in the library, as it happens, until Ctrl-C',
  description:
    'What you may read; without a login what is public. After a break it goes on where it was. ' +
    'With --json every line is an object; one with the kind reset says that more has happened than the library remembers: look at everything again.',
  flags: {
    entity: { type: 'string', value: 'ENTITY', summary: 'of one entity' },
    ...kindFlag,
    json: { type: 'boolean', short: 'j', summary: 'print one JSON object a line, for programs' },
  },
  examples: [
    { line: 'sing library events --entity alice', summary: 'everything in it' },
    { line: 'sing library events --kind image.push,tag --json', summary: 'pushes and tags, for a program' },
  ],
  async run(ctx) {
    const { out, log, signal } = ctx;
    const entity = ctx.flags.entity === undefined ? undefined : parseEntity(ctx.flags.entity);
    const kinds = new Set<string>(await kindsIn(ctx.flags.kind));
    await withLibraryHttp(ctx, { token: false }, async (http) => {
      const { followEvents } = await import('#libs/client');
      const told = followEvents(http, {
        entity,
        signal,
        onOpen: () => log.info(`Listening to ${entity ?? 'the library'}; Ctrl-C ends it.`),
        onAway: (error) => log.warning(`${error.message}. It is asked again; nothing is missed.`),
      });
      for await (const event of told) {
        if (event === 'reset') {
          if (ctx.flags.json) out.line(JSON.stringify({ kind: 'reset' }));
          log.warning('More has happened than the library remembers: look at everything again.');
        } else if (kinds.size === 0 || kinds.has(event.kind)) show(out, event, ctx.flags.json);
      }
    });
  },
});

function show(out: Output, event: Exclude<ToldEvent, 'reset'>, json: boolean): void {
  if (json) {
    out.line(JSON.stringify(event));
    return;
  }
  const { kind, time, place, by, tag, arch, hash, size, previous, fingerprint, formerName } = event;
  const words = [
    time.slice(0, 19).replace('T', ' '),
    kind,
    tag === undefined ? place : `${place}:${tag}`,
    arch,
    hash,
    size === undefined ? undefined : `(${formatSize(size)})`,
    previous === undefined ? undefined : `before ${previous}`,
    fingerprint === undefined ? undefined : `key ${fingerprint.toUpperCase()}`,
    event.private === undefined ? undefined : event.private ? 'private' : 'public',
    event.readOnly === true ? 'read-only' : undefined,
    formerName === undefined ? undefined : `formerly ${formerName}`,
    by === undefined ? undefined : `by ${by}`,
  ];
  out.line(printable(words.filter((word) => word !== undefined).join(' ')));
}

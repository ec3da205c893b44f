import { defineCommand, jsonFlag, printable, type Surroundings } from '#libs/cli';
import { messageOf } from '#libs/core';
import { listRemotes, type Remote, remoteNamed } from '../remotes/remotes.js';
import { withRemote } from '../session.js';
import { comparer, remoteArgument } from './changing.js';
import type { Same } from './order.js';

interface Listed {
  readonly uri: string;
  readonly external: boolean;
  readonly insecure: boolean;
  readonly loggedIn: boolean;
}

export const keyServerList = defineCommand({
  name: 'list',
  summary: 'list the key servers of every remote, in the order in which they are asked',
  positionals: [{ ...remoteArgument, summary: 'name of a remote; all of them when absent' }],
  flags: jsonFlag,
  async run(ctx) {
    const { remotes, active } = await listRemotes(ctx);
    const { remote: name } = ctx.args;
    const chosen = name === undefined ? remotes : [remoteNamed(remotes, name)];
    const same = await comparer();
    const lists = await Promise.all(
      chosen.map(async (remote) => ({ remote, servers: await serversOf(ctx, remote, same) })),
    );
    if (ctx.flags.json) {
      ctx.out.json({
        keyservers: lists.flatMap(({ remote, servers }) =>
          (servers ?? []).map((server, index) => ({
            remote: remote.name,
            active: remote.name === active,
            global: remote.global,
            order: index + 1,
            ...server,
          })),
        ),
      });
      return;
    }
    for (const { remote, servers } of lists) print(ctx, remote, servers, remote.name === active);
    if (lists.length === 0) ctx.log.info('No remotes. Add one: sing remote add NAME ADDRESS');
    else {
      ctx.out.line();
      ctx.out.line('(* = for all users, ^ = in use, + = you are logged in to this key server itself)');
    }
  },
});

/** undefined when the remote does not say which one it offers. */
async function serversOf(
  place: Surroundings,
  remote: Remote,
  same: Same,
): Promise<readonly Listed[] | undefined> {
  if (remote.keyservers.length > 0)
    return remote.keyservers
      .filter(({ skip }) => !skip)
      .map(({ uri, external, insecure }) => ({
        uri,
        external,
        insecure,
        loggedIn: external && remote.credentials.some((one) => same(one.uri, uri)),
      }));
  try {
    const uri = await withRemote(place, remote, (session) => session.uri('keystore'));
    return [{ uri, external: false, insecure: false, loggedIn: false }];
  } catch (error) {
    place.signal.throwIfAborted();
    place.log.warning(`Which key server ${remote.name} offers is not known: ${messageOf(error)}`);
    return undefined;
  }
}

/** In the form of the stock program: "`*` global, `^` active, lock glyph when TLS" (runtime contract §1.6). */
function print(
  { out }: Surroundings,
  { name, global }: Remote,
  servers: readonly Listed[] | undefined,
  active: boolean,
): void {
  const marks = `${global ? '*' : ''}${active ? '^' : ''}`;
  out.line();
  out.line(`${name} ${marks}`.trimEnd());
  if (servers === undefined) {
    out.line('  (unable to fetch associated keyserver info for this endpoint)');
    return;
  }
  const width = Math.max(...servers.map(({ uri }) => printable(uri).length));
  for (const [index, { uri, insecure, loggedIn }] of servers.entries()) {
    const words = [`#${index + 1}`, printable(uri).padEnd(width), protection(uri, insecure)];
    out.line(`   ${[...words, loggedIn ? '+' : ''].join('  ').trimEnd()}`);
  }
}

function protection(uri: string, insecure: boolean): string {
  if (!/^(?:https|hkps):/i.test(uri)) return 'no TLS';
  return insecure ? 'TLS, any certificate' : '🔒 TLS';
}

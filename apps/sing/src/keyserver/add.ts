import { defineCommand, type Flags, type Surroundings } from '#libs/cli';
import { DomainError } from '#libs/core';
import { isPlain } from '../key/server.js';
import { globalFlag } from '../remote/global.js';
import { changeKeyServers, comparer, remoteArgument } from './changing.js';
import { withAdded } from './order.js';

export const addFlags = {
  insecure: {
    type: 'boolean',
    short: 'i',
    summary: 'believe it whatever certificate it has, and also without encryption',
  },
  order: {
    type: 'integer',
    short: 'o',
    value: 'N',
    summary: 'its place in the order in which they are asked; last when absent',
  },
  ...globalFlag,
} as const satisfies Flags;

export const keyServerAdd = defineCommand({
  name: 'add',
  summary: 'ask another key server, too',
  positionals: [remoteArgument, { name: 'url', summary: 'https:// or hkps:// address of the key server' }],
  flags: addFlags,
  examples: [
    { line: 'sing keyserver add https://keys.example.org', summary: 'ask it after the others' },
    {
      line: 'sing keyserver add --order 1 lab hkps://keys.openpgp.org',
      summary: 'ask it first when the remote lab is used',
    },
  ],
  run: (ctx) => addKeyServer(ctx, ctx.args, ctx.flags),
});

interface AddRequest {
  readonly insecure: boolean;
  readonly order: number | undefined;
  readonly global: boolean;
}

export async function addKeyServer(
  place: Surroundings,
  { remote, url }: { readonly remote: string | undefined; readonly url: string },
  { insecure, order, global }: AddRequest,
): Promise<void> {
  // "order 0 → 255" (runtime contract §1.6).
  if (order === 0) throw new DomainError('bad_request', 'order must be > 0', { reason: 'bad_order' });
  const { keystoreBaseUrl } = await import('#libs/client');
  const uri = url.replace(/\/+$/, '');
  if (isPlain(keystoreBaseUrl(uri)) && !insecure)
    throw new DomainError('bad_request', `${url} is not encrypted`, {
      reason: 'insecure_address',
      remedy: 'Use https:// or hkps://, or say --insecure when you are sure',
    });
  const same = await comparer();
  const chosen = await changeKeyServers(place, { remote, global }, (list) =>
    withAdded(list, { uri, order, insecure }, same),
  );
  place.log.info(`The key server ${uri} is asked when the remote ${chosen.name} is used.`);
}

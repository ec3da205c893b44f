import { z } from 'zod';
import { defineCommand, jsonFlag } from '#libs/cli';
import type { HttpClient } from '#libs/client';
import { messageOf } from '#libs/core';
import { withInstance } from './instance.js';

const ReadyAnswer = z.object({
  data: z.object({ ready: z.boolean(), checks: z.record(z.string(), z.string()) }),
});

interface ServiceStatus {
  readonly name: string;
  readonly url: string;
  readonly version: string | null;
  readonly ready: boolean;
  /** What is not right; empty when all is well. */
  readonly problems: readonly string[];
}

export const status = defineCommand({
  name: 'status',
  summary: 'say whether every service is there and ready',
  description: 'Exits with 1 when one of them is not.',
  flags: jsonFlag,
  examples: [{ line: 'scs status', summary: 'every service of the instance' }],
  async run(ctx) {
    const services = await withInstance(ctx, ({ services, at }) =>
      Promise.all([...services].map(([name, url]) => ask(name, url, at(url), ctx.signal))),
    );
    if (ctx.flags.json) ctx.out.json({ services });
    else
      ctx.out.table(
        ['SERVICE', 'URL', 'VERSION', 'READY'],
        services.map(({ name, url, version, ready, problems }) => [
          name,
          url,
          version ?? '-',
          ready ? 'yes' : `no: ${problems.join(', ')}`,
        ]),
      );
    return services.every((service) => service.ready) ? 0 : 1;
  },
});

async function ask(name: string, url: string, http: HttpClient, signal: AbortSignal): Promise<ServiceStatus> {
  const { serviceVersion } = await import('#libs/client');
  try {
    const version = await serviceVersion(http, { signal });
    const answer = await http.request({ url: '/readyz', accept: [200, 503], timeout: 10_000, signal });
    const { ready, checks } = (await answer.json(ReadyAnswer)).data;
    const problems = Object.entries(checks)
      .filter(([, state]) => state !== 'ok')
      .map(([check]) => check);
    return { name, url, version, ready, problems };
  } catch (error) {
    signal.throwIfAborted();
    return { name, url, version: null, ready: false, problems: [messageOf(error)] };
  }
}

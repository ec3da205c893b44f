import { PassThrough, Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import { sing } from '#apps/sing/src/program';
import { Interrupted, main } from '#libs/cli';
import type { Delivery, LibraryEvent, Webhook } from '#libs/contract';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Receiver } from '../../support/webhook-receiver.js';
import { type SingLibrary, startSingLibrary } from './sing-library.js';
import { testImage } from './world.js';

const PLACE = 'tester/tools/blast';

/** A command that goes on until it is interrupted. */
interface Running {
  /** The next line of its output. */
  line(): Promise<string>;
  /** Ctrl-C. @returns its status, and all that it has said besides */
  interrupt(): Promise<{ readonly status: number; readonly stderr: string }>;
}

describe('sing library, what happens', () => {
  let scene: SingLibrary;
  let receiver: Receiver;
  beforeAll(async () => {
    receiver = await Receiver.start();
    scene = await startSingLibrary({
      limits: { eventsBusy: 20, webhookPoll: 20, eventHeartbeat: 60, eventBeats: 2, eventRetry: 20 },
      env: { SCS_WEBHOOK_NETWORKS: '127.0.0.1', SCS_WEBHOOK_CA_FILE: receiver.caFile },
    });
    await scene.client.entity('tester');
  });
  afterAll(async () => {
    await scene.stop();
    await receiver.stop();
  });

  /** Resolves when it listens. */
  const follow = async (...words: string[]): Promise<Running> => {
    const stdout = new PassThrough();
    const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
    const ctrlC = new AbortController();
    let stderr = '';
    const { promise: listens, resolve } = Promise.withResolvers<void>();
    const status = main(sing, ['library', 'events', ...words], {
      stdin: Readable.from([]),
      stdout,
      stderr: {
        write: (text: string) => {
          stderr += text;
          if (text.includes('Listening')) resolve();
        },
      },
      ...scene.surroundings,
      signal: ctrlC.signal,
    });
    await Promise.race([listens, status.then(() => expect.fail(stderr))]);
    return {
      line: async () => String((await lines.next()).value),
      interrupt: async () => {
        ctrlC.abort(new Interrupted('SIGINT'));
        return { status: await status, stderr };
      },
    };
  };

  it('tells one line each, of one entity and of the kinds that were asked for', async () => {
    const running = await follow('--entity', 'tester', '--kind', 'image.push,tag');
    await scene.client.push(PLACE, await testImage(), { tags: ['v1'] });
    expect(await running.line()).toMatch(
      /^\d{4}-\d\d-\d\d \S+ image\.push tester\/tools\/blast amd64 sha256\.\S+ \(\d.*B\) by tester$/,
    );
    expect(await running.line()).toMatch(/ tag\.set tester\/tools\/blast:v1 amd64 sha256\.\S+ by tester$/);
    expect(await running.interrupt()).toMatchObject({ status: 130 });
  });

  it('goes on after every break: nothing is lost, nothing comes twice', async () => {
    // A stream of this library ends after a tenth of a second.
    const running = await follow('--kind', 'tag.set', '--json');
    const { id, container } = await scene.client.push('tester/tools/many', await testImage(), { tags: [] });
    const tags = Array.from({ length: 60 }, (_, index) => `t${index}`);
    const told: (string | undefined)[] = [];
    for (const tag of tags) {
      await scene.client.tag(container, tag, id);
      told.push((JSON.parse(await running.line()) as LibraryEvent).tag);
    }
    expect(told).toEqual(tags);
    const { stderr } = await running.interrupt();
    expect(stderr.match(/Listening/g)?.length).toBeGreaterThan(1);
  });

  it('ends with a refusal: an entity that is not there for whoever asks', async () => {
    const { status, stderr } = await scene.library(['events', '--entity', 'nobody']);
    expect([status, stderr]).toEqual([255, expect.stringContaining('no entity')]);
  });

  describe('webhooks', () => {
    const hooks = async (): Promise<Webhook[]> =>
      (await scene.json<{ webhooks: Webhook[] }>('webhook', 'list', 'tester')).webhooks;
    const deliveries = async (id: string): Promise<Delivery[]> =>
      (await scene.json<{ deliveries: Delivery[] }>('webhook', 'deliveries', 'tester', id)).deliveries;

    it('are added, tried, changed and removed', async () => {
      expect((await scene.ok('webhook', 'list', 'tester')).stderr).toContain('webhook add tester URL');
      const added = await scene.ok('webhook', 'add', 'tester', receiver.url, '--kind', 'tag', '-D', 'for CI');
      const secret = added.stdout.trimEnd();
      expect([secret.length > 20, added.stderr]).toEqual([true, expect.stringContaining('not shown again')]);
      const [hook] = await hooks();
      const id = hook?.id ?? '';
      expect(hook).toMatchObject({ kinds: ['tag.delete', 'tag.move', 'tag.set'], description: 'for CI' });
      expect((await scene.ok('webhook', 'list', 'tester')).stdout).toMatch(
        /\n\S+ +enabled +tag\.delete,tag\.move,tag\.set +https:\S+ +for CI\n$/,
      );

      const [pinged] = (await scene.json<{ deliveries: Delivery[] }>('webhook', 'ping', 'tester', id))
        .deliveries;
      await receiver.count(1);
      await expect.poll(() => deliveries(id)).toMatchObject([{ state: 'delivered' }]);
      expect((await scene.ok('webhook', 'deliveries', 'tester', id)).stdout).toMatch(
        /\n\S+ +delivered +ping +tester +\S+ \S+ +1 +204\n$/,
      );
      const again = await scene.ok('webhook', 'redeliver', 'tester', id, pinged?.id ?? '');
      expect(again.stderr).toContain('on its way again');
      const { headers } = await receiver.count(2);
      expect(headers['scs-delivery']).toBe(pinged?.id);

      await scene.ok('webhook', 'set', 'tester', id, '--disable', '--all-kinds');
      expect(await hooks()).toMatchObject([{ enabled: false, kinds: [], description: 'for CI' }]);
      expect((await scene.ok('webhook', 'list', 'tester')).stdout).toContain('disabled (by_owner)');
      const renewed = await scene.json<{ webhooks: { secret: string }[] }>(
        'webhook',
        'set',
        'tester',
        id,
        '--enable',
        '--new-secret',
      );
      expect(renewed.webhooks[0]?.secret).not.toBe(secret);

      const unasked = await scene.library(['webhook', 'remove', 'tester', id]);
      expect([unasked.status, unasked.stderr]).toEqual([255, expect.stringContaining('--force')]);
      await scene.ok('webhook', 'rm', 'tester', id, '--force');
      expect(await hooks()).toEqual([]);
    });

    it('are refused in the words of the library', async () => {
      const { status, stderr } = await scene.library(['webhook', 'add', 'tester', 'http://example.org/']);
      expect([status, stderr]).toEqual([255, expect.stringContaining('an https address')]);
    });
  });
});

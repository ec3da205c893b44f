import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';

/** An event, or what else came of a stream: a comment has neither id nor data. */
export interface StreamEvent {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: string | undefined;
  readonly comment: string | undefined;
}

/** An open stream of server-sent events. */
export interface EventStream {
  readonly status: number;
  /** The next one; undefined when the server has ended the stream. */
  next(): Promise<StreamEvent | undefined>;
  close(): void;
}

/** Opens a stream on a connection of its own. */
export async function openEvents(
  server: { readonly url: string; readonly ca: string },
  path: string,
  headers: Record<string, string> = {},
): Promise<EventStream> {
  const agent = new Agent({ ca: server.ca });
  const asking = request(new URL(path, server.url), { agent, headers });
  asking.end();
  const [answer] = (await once(asking, 'response')) as [IncomingMessage];
  const blocks = blocksOf(answer);
  return {
    status: answer.statusCode ?? 0,
    async next() {
      const { value, done } = await blocks.next();
      return done === true ? undefined : parse(value);
    },
    close() {
      asking.destroy();
      agent.destroy();
    },
  };
}

async function* blocksOf(answer: IncomingMessage): AsyncGenerator<string, void> {
  let text = '';
  try {
    for await (const chunk of answer) {
      text += String(chunk);
      for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
        yield text.slice(0, end);
        text = text.slice(end + 2);
      }
    }
  } catch {
    // Closed by the test, or cut: an end like any other.
  }
}

function parse(block: string): StreamEvent {
  const lines = block.split('\n');
  const value = (prefix: string): string | undefined =>
    lines.find((line) => line.startsWith(prefix))?.slice(prefix.length);
  return { id: value('id: '), event: value('event: '), data: value('data: '), comment: value(': ') };
}

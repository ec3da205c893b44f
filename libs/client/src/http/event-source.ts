import { DomainError } from '#libs/core';
import { CLIENT_LIMITS } from './limits.js';

/** What stands between two empty lines of a stream of server-sent events; absent is what was not said. */
export interface EventBlock {
  readonly id?: string;
  readonly event?: string;
  readonly data?: string;
  /** Milliseconds to wait before asking again. */
  readonly retry?: number;
}

/**
 * The blocks of a stream of server-sent events (WHATWG HTML §9.2.6). A block that is not ended is none; comments are empty blocks.
 * @throws DomainError `unavailable` for a block that has no end
 */
export async function* eventBlocks(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<EventBlock> {
  const decoder = new TextDecoder();
  let text = '';
  let lines: string[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    text += decoder.decode(chunk, { stream: true });
    // A carriage return at the end may be the first half of a line end.
    const end = Math.max(text.lastIndexOf('\n'), text.slice(0, -1).lastIndexOf('\r')) + 1;
    const whole = text.slice(0, end);
    text = text.slice(end);
    for (const line of whole.split(/\r\n|\n|\r/).slice(0, -1)) {
      if (line !== '') {
        lines.push(line);
        size += line.length;
        continue;
      }
      yield blockOf(lines);
      lines = [];
      size = 0;
    }
    if (size + text.length > CLIENT_LIMITS.json)
      throw new DomainError('unavailable', 'An event of the server has no end', { reason: 'bad_answer' });
  }
}

function blockOf(lines: readonly string[]): EventBlock {
  const said = new Map<string, string[]>();
  for (const line of lines) {
    const [, name = '', value = ''] = /^([^:]*):? ?([^]*)$/.exec(line) ?? [];
    said.set(name, [...(said.get(name) ?? []), value]);
  }
  const [id, event, retry] = ['id', 'event', 'retry'].map((name) => said.get(name)?.at(-1));
  const data = said.get('data')?.join('\n');
  return {
    ...(id === undefined ? {} : { id }),
    ...(event === undefined ? {} : { event }),
    ...(data === undefined ? {} : { data }),
    ...(retry !== undefined && /^\d{1,9}$/.test(retry) ? { retry: Number(retry) } : {}),
  };
}

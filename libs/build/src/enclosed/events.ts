import { StringDecoder } from 'node:string_decoder';
import { buildFailure } from '../failure.js';
import type { BuildLog } from '../log.js';
import { EnclosedEvent, LONGEST_EVENT } from './protocol.js';

/** How the enclosed process says that it ended. */
type Outcome = Extract<EnclosedEvent, { kind: 'built' | 'failed' }>;

export interface Events {
  /** Undefined: it ended without a word. */
  readonly outcome: Outcome | undefined;
}

/** Reads what the enclosed process says to its end. @throws DomainError for anything that it would not say */
export async function readEvents(stream: AsyncIterable<Buffer>, log: BuildLog): Promise<Events> {
  const decoder = new StringDecoder('utf8');
  let outcome: Outcome | undefined;
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LONGEST_EVENT) throw nonsense();
    for (const line of lines) {
      const event = readEvent(line);
      if (event.kind === 'info') log.info(event.message);
      else if (event.kind === 'warning') log.warning(event.message);
      else if (event.kind === 'output') log.output(Buffer.from(event.base64, 'base64'));
      else outcome = event;
    }
  }
  return { outcome };
}

function readEvent(line: string): EnclosedEvent {
  try {
    return EnclosedEvent.parse(JSON.parse(line));
  } catch (cause) {
    throw nonsense(cause);
  }
}

function nonsense(cause?: unknown): Error {
  return buildFailure('The build program says what it never should', {
    ...(cause === undefined ? {} : { cause }),
    remedy: 'This is a bug, or an image that attacks the build: please report it.',
  });
}

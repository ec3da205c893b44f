import type { Answer, Message, PrintAnswer } from './answer.js';
import { bytesOfMixed } from './bytes.js';
import type { Bytes, MessageSettings } from './plan.js';

/** An answer that Node gives. */
export const TO_NODE: Answer = { kind: 'node', close: [] };

/** A text for stdout, with status 0. */
export function printed(
  settings: MessageSettings,
  stdout: Bytes,
  messages: readonly Message[] = [],
): PrintAnswer {
  return { kind: 'print', messages: messages.map(asBytes), ...settings, stderr: '', stdout, status: 0 };
}

/** The plan as text that survives every terminal and tool: bytes above 0x7E as JSON escapes. */
export function planText(plan: object): Bytes {
  let text = '';
  for (const character of JSON.stringify(plan, null, 2)) {
    const code = character.charCodeAt(0);
    text += code > 0x7e ? `\\u${code.toString(16).padStart(4, '0')}` : character;
  }
  return `${text}\n`;
}

/** Messages as the bytes that are printed. */
export function asBytes(message: Message): Message {
  return { level: message.level, text: bytesOfMixed(message.text) };
}

/** C0 and C1 controls, DEL, the replacement character of broken UTF-8, and what reorders text in a terminal. */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffd]/g;

/**
 * Text from an image, safe to print: control characters become `\xNN` or `\uNNNN` (SIF contract §6: names are printed
 * escaped).
 */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.charCodeAt(0);
    return code <= 0xff
      ? `\\x${code.toString(16).padStart(2, '0')}`
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/** C0 and C1 controls, DEL, and the two line ends of Unicode. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/**
 * Text from elsewhere as one line that is safe to log and to print: tabs and line ends become spaces, other control characters their escapes, so that a
 * name of a file cannot pretend to be a line of its own or steer a terminal.
 */
export function oneLine(text: string): string {
  return text.replace(CONTROL, (character) => {
    const code = character.charCodeAt(0);
    if (/\s/.test(character)) return ' ';
    return `\\x${code.toString(16).padStart(2, '0')}`;
  });
}

/** What no line shows: controls, and characters that only change how others are shown, such as the direction of reading. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Text from elsewhere for people who have to see all that is in it: what a line does not show is written as `\u{202e}`. */
export function writtenOut(text: string): string {
  return text.replace(INVISIBLE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

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

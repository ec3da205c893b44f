/** The choices of a flag that switches something on or off and may be absent. */
export const YES_NO = ['yes', 'no'] as const;

export function isYes(value: string): boolean {
  return value === 'yes';
}

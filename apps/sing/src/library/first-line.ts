/** A description in a table. What stock clients write where nobody said anything says nothing. */
export function firstLine(description: string): string {
  return /^no description$/i.test(description) ? '' : (description.split('\n')[0] ?? '').slice(0, 60);
}

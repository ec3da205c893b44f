/** A plan as text for another process, with its handles renumbered to what they will be there. */
export interface PlanText {
  readonly text: string;
  /** The handles of this process, each once, in the order of their first appearance. */
  readonly handles: readonly number[];
}

/**
 * Prints a plan as JSON in which every member called `handle` is what `renumber(handle, index)` says, where `index` counts the distinct handles.
 */
export function withHandles(plan: object, renumber: (handle: number, index: number) => number): PlanText {
  const handles: number[] = [];
  const text = JSON.stringify(plan, (name, value: unknown) => {
    if (name !== 'handle' || typeof value !== 'number') return value;
    if (!handles.includes(value)) handles.push(value);
    return renumber(value, handles.indexOf(value));
  });
  return { text, handles };
}

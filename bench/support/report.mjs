/** The middle of a list of numbers. */
export function median(numbers) {
  return percentile(numbers, 0.5);
}

/** @param part 0 to 1 */
export function percentile(numbers, part) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * part;
  const below = Math.floor(place);
  const above = Math.ceil(place);
  return sorted[below] + (sorted[above] - sorted[below]) * (place - below);
}

/** One line: what was measured, and the figures by name. */
export function report(what, figures) {
  const texts = Object.entries(figures).map(
    ([name, value]) => `${name} ${typeof value === 'number' ? value.toFixed(2) : value}`,
  );
  process.stdout.write(`${what}: ${texts.join(' · ')}\n`);
}

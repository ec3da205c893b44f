/** A target and whether it is met, as a figure of report(). */
export function atMost(value, limit, unit = '') {
  return `≤ ${limit}${unit}, ${value <= limit ? 'met' : 'missed'}`;
}

export function atLeast(value, limit, unit = '') {
  return `≥ ${limit}${unit}, ${value >= limit ? 'met' : 'missed'}`;
}

/**
 * What Node is told for a server: with many connections it would grow the space for young objects to 96 MiB and more, which costs nobody time to do without
 * (decision 30).
 */
export const SERVER_FLAGS = ['--max-semi-space-size=8'] as const;

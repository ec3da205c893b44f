import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { expect, it } from 'vitest';
import { buffersPassed } from './passing-buffers.js';

it('collects the young generation, and nothing more, once every 16 MiB', async () => {
  const kinds: unknown[] = [];
  const seen = Promise.withResolvers<void>();
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { kind, flags } = (entry as PerformanceEntry & { detail: { kind: number; flags: number } })
        .detail;
      if ((flags & constants.NODE_PERFORMANCE_GC_FLAGS_FORCED) !== 0) kinds.push(kind);
    }
    if (kinds.length >= 2) seen.resolve();
  });
  observer.observe({ entryTypes: ['gc'] });
  for (let count = 0; count < 32; count += 1) buffersPassed(1024 * 1024);
  await seen.promise;
  observer.disconnect();
  expect(kinds).toEqual([constants.NODE_PERFORMANCE_GC_MINOR, constants.NODE_PERFORMANCE_GC_MINOR]);
});

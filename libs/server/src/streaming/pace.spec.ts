import { describe, expect, it } from 'vitest';
import { STREAM_LIMITS } from './limits.js';
import { paceOf, PaceWatch } from './pace.js';

const { quickBytes, quickTime, slowWrite } = STREAM_LIMITS;

describe('the pace of a client', () => {
  it('is quick when much was taken in little time', () => {
    const watch = new PaceWatch();
    expect(watch.pace).toBe('new');
    watch.note(quickBytes - 1, quickTime / 4);
    expect(watch.pace).toBe('new');
    watch.note(1, quickTime / 4);
    expect(watch.pace).toBe('quick');
  });

  it('is not quick when that took longer, without a pause too', () => {
    const watch = new PaceWatch();
    for (let part = 0; part < 4; part += 1) watch.note(quickBytes / 4, quickTime / 4 + 1);
    expect(watch.pace).toBe('new');
    watch.note(quickBytes, 5);
    expect(watch.pace).toBe('quick');
    for (let part = 0; part < 4; part += 1) watch.note(quickBytes / 4, quickTime / 4 + 1);
    expect(watch.pace).toBe('new');
  });

  it('is slow from a pause on, until much was taken quickly again', () => {
    const watch = new PaceWatch();
    watch.note(quickBytes, 5);
    watch.note(quickBytes, slowWrite + 1);
    expect(watch.pace).toBe('slow');
    watch.note(quickBytes - 1, 5);
    expect(watch.pace).toBe('slow');
    watch.note(1, 5);
    expect(watch.pace).toBe('quick');
  });

  it('is that of a connection, whatever comes over it', () => {
    const [one, other] = [{}, {}];
    paceOf(one).note(quickBytes, 5);
    expect(paceOf(one).pace).toBe('quick');
    expect(paceOf(other).pace).toBe('new');
  });
});

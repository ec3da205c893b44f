import { describe, expect, it } from 'vitest';
import { withHandles } from './handles.js';

describe('a plan for another process', () => {
  it('has every handle renumbered, equal ones alike, in the order of their first appearance', () => {
    const plan = {
      steps: [{ image: { handle: 30 } }, { source: { kind: 'handle', handle: 20 } }, { handle: 30 }],
    };
    expect(withHandles(plan, (_handle, index) => 6 + index)).toEqual({
      text: '{"steps":[{"image":{"handle":6}},{"source":{"kind":"handle","handle":7}},{"handle":6}]}',
      handles: [30, 20],
    });
  });

  it('keeps texts that are called handle as they are', () => {
    expect(withHandles({ kind: 'handle', handle: null }, () => 9)).toEqual({
      text: '{"kind":"handle","handle":null}',
      handles: [],
    });
  });
});

import { expect, it } from 'vitest';
import { wkdName } from './name.js';

it('names an address as the example of the specification does', () => {
  expect(wkdName('joe.doe@example.org')).toEqual({
    hash: 'iy9q119eutrkn8s1mk4r39qejnbu3n5q',
    domain: 'example.org',
  });
});

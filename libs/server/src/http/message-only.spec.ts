import { expect, test } from 'vitest';
import { failure } from './envelope.js';
import { forReaders } from './message-only.js';

const refused = failure(403, 'This one is not signed', 'signer_required', 'Pull one that is.');

test.each([
  'Singularity-Ce/4.3.2 (Linux amd64) Go/1.26.8',
  'Singularity/3.8.4 (Linux amd64) Go/1.16',
  'SingularityPRO/4.1 (Linux amd64) Go/1.22',
  'Apptainer/1.4.1 (Linux amd64) Go/1.26.8',
  'scs-build/0.9.21',
  'Go-http-client/1.1',
])('%s reads what helps in the message', (agent) => {
  expect(forReaders(refused, agent).body.error).toEqual({
    code: 403,
    message: 'This one is not signed. Pull one that is',
    reason: 'signer_required',
    remedy: 'Pull one that is.',
  });
});

test.each(['scs/0.1.0', 'curl/7.88.1', 'Mozilla/5.0 (Apptainer/1.4.1)', undefined])(
  '%s reads it in a field of its own',
  (agent) => {
    expect(forReaders(refused, agent)).toBe(refused);
  },
);

test('without anything that helps the message stays', () => {
  const plain = failure(404, 'There is nothing at this address', 'not_found');
  expect(forReaders(plain, 'Apptainer/1.4.1')).toBe(plain);
});

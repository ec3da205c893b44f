import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { environmentExample } from './example.js';

it('.env.example says what the schemas say (vitest -u writes it)', async () => {
  const file = fileURLToPath(new URL('../../../.env.example', import.meta.url));
  await expect(environmentExample()).toMatchFileSnapshot(file);
});

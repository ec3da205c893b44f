import { mkdtempSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '#libs/core';
import { ACCESS_LIMITS } from './limits.js';
import { readSmallFile } from './secret-file.js';
import { ServiceKey, serviceKeysFile } from './service-key.js';
import { ServiceKeysFolder } from './service-keys-folder.js';

describe('the keys of services', () => {
  let home: string;
  let now = 0;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'scs-keys-'));
  });
  afterEach(() => rmSync(home, { recursive: true }));

  const publish = async (dataFolder: string): Promise<string> => {
    await ServiceKey.open({
      service: 'worker',
      dataFolder: join(home, dataFolder),
      home,
      clock: systemClock,
    });
    const text = (await readSmallFile(serviceKeysFile(home, 'worker'))) ?? '';
    return (JSON.parse(text) as { keys: { kid: string }[] }).keys[0]?.kid ?? '';
  };

  it('are found, and end a second after they were replaced or taken away', async () => {
    const keys = new ServiceKeysFolder(home, { elapsed: () => now, warn: () => undefined });
    const first = await publish('first');
    expect((await keys.find('worker', first))?.kid).toBe(first);
    const second = await publish('second');
    now += ACCESS_LIMITS.serviceKeyRefreshMs;
    expect((await keys.find('worker', second))?.kid).toBe(second);
    expect(await keys.find('worker', first)).toBeUndefined();
    unlinkSync(serviceKeysFile(home, 'worker'));
    expect((await keys.find('worker', second))?.kid).toBe(second);
    now += ACCESS_LIMITS.serviceKeyRefreshMs;
    expect(await keys.find('worker', second)).toBeUndefined();
  });
});

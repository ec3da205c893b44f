import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DiskReserve } from './reserve.js';

const MIB = 1024 * 1024;

describe('the reserve for a full disk', () => {
  let home: string;
  let free: number;
  let reserve: DiskReserve;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'scs-reserve-'));
    free = 1000 * MIB;
    reserve = new DiskReserve(home, () => free);
  });
  afterEach(() => rmSync(home, { recursive: true }));

  it('takes real space where there is plenty, and is made once', () => {
    expect(reserve.renew()).toBe(true);
    const { size, blocks, mode } = statSync(join(home, 'reserve'));
    expect([size, mode & 0o777]).toEqual([16 * MIB, 0o600]);
    expect(blocks * 512).toBeGreaterThanOrEqual(size);
    expect([reserve.renew(), reserve.makeRoom()]).toEqual([false, false]);
  });

  it('is given up on a full disk, and made again when that is over', () => {
    reserve.renew();
    free = MIB;
    expect(reserve.makeRoom()).toBe(true);
    expect(readdirSync(home)).toEqual([]);
    expect([reserve.makeRoom(), reserve.renew()]).toEqual([false, false]);
    free = 100 * MIB;
    expect(reserve.renew()).toBe(false);
    free = 1000 * MIB;
    expect(reserve.renew()).toBe(true);
  });

  it('is no reason to fail where it cannot be made', () => {
    const nowhere = join(home, 'nothing');
    expect(new DiskReserve(nowhere, () => free).renew()).toBe(false);
    expect([new DiskReserve(nowhere).renew(), new DiskReserve(nowhere).makeRoom()]).toEqual([false, false]);
  });
});

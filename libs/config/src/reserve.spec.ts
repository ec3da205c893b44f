import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from './load.js';
import { DiskReserve, diskReserves } from './reserve.js';

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

  it('is one on each disk on which there is a database, or the state of the instance', () => {
    const folders = (env: Record<string, string>, devices: Record<string, number>) =>
      diskReserves(loadConfig({ SCS_HOME: '/state', ...env }), (folder) => devices[folder]).map(
        (one) => one.folder,
      );
    const own = { '/state': 1, '/state/data/auth': 1, '/state/data/library': 1 };
    expect(folders({}, own)).toEqual(['/state']);
    const elsewhere = { SCS_DATABASE_URL: 'sqlite:/db', SCS_KEYSTORE_DATABASE_URL: 'sqlite:///keys' };
    const disks = { ...own, '/db/auth': 2, '/db/library': 2, '/db/builder': 1, '/keys': 3 };
    expect(folders(elsewhere, disks)).toEqual(['/state', '/db/auth', '/keys']);
    // Of a service that does not run here, in a folder that is not there yet, and of no file at all.
    expect(folders({ ...elsewhere, SCS_SERVICES: 'auth,library' }, { ...own, '/db/library': 2 })).toEqual([
      '/state',
      '/db/library',
    ]);
    const mongo = { SCS_DATABASE_URL: 'mongodb://u:p@db.example.org/scs?tls=true' };
    expect(folders(mongo, own)).toEqual(['/state']);
  });

  it('is no reason to fail where it cannot be made', () => {
    const nowhere = join(home, 'nothing');
    expect(new DiskReserve(nowhere, () => free).renew()).toBe(false);
    expect([new DiskReserve(nowhere).renew(), new DiskReserve(nowhere).makeRoom()]).toEqual([false, false]);
  });
});

import { closeSync, existsSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { ScsConfig } from './config.js';
import { ADDRESSED } from './services.js';

const MIB = 1024 * 1024;
/** Room for some hundred deletions, each of which gives back more than it needs. */
const RESERVE = 16 * MIB;
/** Below this nothing can be written for sure. */
const FULL = 2 * MIB;
/** The reserve is made where it is no burden, and made again when a full disk is over. */
const PLENTY = 128 * MIB;

/**
 * Space that is kept for the moment when the disk is full: deleting needs some, too, and a start does. Then it is given up, and
 * made again when there is room. New images are refused long before (the blob store keeps its distance), so what is left serves
 * whoever makes room.
 */
export class DiskReserve {
  readonly folder: string;
  readonly #file: string;
  readonly #free: () => number;

  /** @param free bytes that can still be written in the folder */
  constructor(folder: string, free: () => number = () => freeBytes(folder)) {
    this.folder = folder;
    this.#file = join(folder, 'reserve');
    this.#free = free;
  }

  /** Gives the reserve up when the disk is full. Never fails. @returns whether it did */
  makeRoom(): boolean {
    try {
      if (this.#free() >= FULL || !existsSync(this.#file)) return false;
      rmSync(this.#file);
      return true;
    } catch {
      return false;
    }
  }

  /** Makes the reserve when there is plenty of room. Never fails. @returns whether it did */
  renew(): boolean {
    try {
      if (this.#free() < PLENTY || existsSync(this.#file)) return false;
      this.#make();
      return true;
    } catch {
      return false;
    }
  }

  #make(): void {
    const file = openSync(this.#file, 'w', 0o600);
    try {
      // Written, because a file of holes takes no space.
      for (let written = 0; written < RESERVE;) written += writeSync(file, Buffer.alloc(MIB));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }
}

/**
 * A reserve on each disk that has a database of this process, or SCS_HOME: a database that lies elsewhere needs space there to delete.
 * @param deviceOf a number for each disk; undefined for a folder that is not there
 */
export function diskReserves(
  config: Pick<ScsConfig, 'home' | 'services' | 'databaseUrl'>,
  deviceOf: (folder: string) => number | undefined = deviceAt,
): DiskReserve[] {
  const databases = ADDRESSED.filter((service) => config.services.includes(service)).flatMap((service) => {
    const [, folder] = /^sqlite:(?:\/\/)?(\/.*)$/.exec(config.databaseUrl(service)) ?? [];
    return folder === undefined ? [] : [folder];
  });
  const devices = new Set<number | undefined>([undefined]);
  return [config.home, ...databases].flatMap((folder) => {
    const device = deviceOf(folder);
    const isNew = !devices.has(device);
    devices.add(device);
    return isNew ? [new DiskReserve(folder)] : [];
  });
}

function deviceAt(folder: string): number | undefined {
  return statSync(folder, { throwIfNoEntry: false })?.dev;
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

import { chmodSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { prepareHome } from './home.js';
import { loadConfig } from './load.js';

describe('prepareHome', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'scs-home-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const modeOf = (path: string): number => statSync(path).mode & 0o777;

  it('makes every folder for its owner alone, whatever the umask', () => {
    const home = join(folder, 'home');
    const before = process.umask(0o000);
    try {
      prepareHome(loadConfig({ SCS_HOME: home }));
    } finally {
      process.umask(before);
    }
    for (const path of ['', 'log', 'data', 'data/auth', 'data/library', 'run', 'tls'])
      expect(modeOf(join(home, path))).toBe(0o700);
  });

  it('takes away what others may do with an existing folder', () => {
    const home = join(folder, 'home');
    mkdirSync(home);
    chmodSync(home, 0o777);
    prepareHome(loadConfig({ SCS_HOME: home }));
    expect(modeOf(home)).toBe(0o700);
  });

  it.each(['a stranger’s file', '.hidden'])('does not close a shared folder that holds %s', (name) => {
    const home = join(folder, 'home');
    mkdirSync(home);
    chmodSync(home, 0o755);
    writeFileSync(join(home, name), '');
    expect(() => prepareHome(loadConfig({ SCS_HOME: home }))).toThrow(
      `SCS_HOME ${home} is open to other users and holds something else (${name})`,
    );
    expect(modeOf(home)).toBe(0o755);
    chmodSync(home, 0o700);
    prepareHome(loadConfig({ SCS_HOME: home }));
  });

  it('takes a folder in which only the password was put, and one of an instance with something beside it', () => {
    const home = join(folder, 'home');
    mkdirSync(home);
    writeFileSync(join(home, 'admin.password'), 'x');
    chmodSync(home, 0o755);
    prepareHome(loadConfig({ SCS_HOME: home }));
    writeFileSync(join(home, 'notes.txt'), 'x');
    chmodSync(home, 0o755);
    prepareHome(loadConfig({ SCS_HOME: home }));
    expect(modeOf(home)).toBe(0o700);
  });

  it('says in a sentence that the folder is a file', () => {
    const home = join(folder, 'home');
    writeFileSync(home, '');
    expect(() => prepareHome(loadConfig({ SCS_HOME: home }))).toThrow(
      /home (is not a folder|cannot be written)/,
    );
  });

  it('says in a sentence that a file is in the way', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => prepareHome(loadConfig({ SCS_HOME: join(folder, 'file', 'home') }))).toThrow(
      'cannot be written: a part of the path is not a folder',
    );
  });

  it('says in a sentence that a file is where one of its folders has to be', () => {
    const home = join(folder, 'home');
    mkdirSync(home, { mode: 0o700 });
    writeFileSync(join(home, 'log'), '');
    expect(() => prepareHome(loadConfig({ SCS_HOME: home }))).toThrow('a file is where a folder has to be');
  });

  it('puts sockets into a short private folder where the path is too long for one', () => {
    const home = join(folder, 'x'.repeat(100));
    const config = loadConfig({ SCS_HOME: home });
    try {
      prepareHome(config);
      prepareHome(config);
      expect(config.runFolder.length).toBeLessThan(60);
      expect(readlinkSync(join(home, 'run'))).toBe(config.runFolder);
      expect(modeOf(config.runFolder)).toBe(0o700);
    } finally {
      rmSync(config.runFolder, { recursive: true, force: true });
    }
  });
});

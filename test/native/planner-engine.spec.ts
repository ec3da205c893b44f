import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answerCommandLine, bytesOf, systemHost } from '#libs/runtime';
import { makeImage, PROGRAM, skipContainers } from '../support/containers.js';
import { temporaryFolder } from '../support/temporary.js';

const GOLDEN_PROGRAM = resolve(import.meta.dirname, '../../addon/build/sing-golden');
/** A program before the build put an engine into it that has evaluated the bundle: it reads the bytecode, as it does where the place of the engine is taken. */
const unkept = (name: string): string =>
  resolve(import.meta.dirname, `../../addon/build/objects/plain/${name}-without-state`);
const GOLDEN_FOLDER = resolve(import.meta.dirname, '../fixtures/plans');

// The same planner, once in Node and once as bytecode in the engine inside the native program: every answer must be the same.
describe.skipIf(!existsSync(GOLDEN_PROGRAM) && process.env['SING_MUST_WORK'] !== '1')(
  'golden plans in the engine (npm run build:native -- tests)',
  () => {
    const files = readdirSync(GOLDEN_FOLDER).map((name) => basename(name, '.json'));
    const ask = (name: string, program = GOLDEN_PROGRAM): string =>
      execFileSync(program, ['exec', name], { encoding: 'utf8', maxBuffer: 1 << 24 });

    it('are all known to it', () => {
      expect(ask('list').trim().split('\n').sort()).toEqual(files.sort());
    });

    it.each(files)('%s is decided as in Node', (name) => {
      const written = readFileSync(resolve(GOLDEN_FOLDER, `${name}.json`), 'utf8');
      expect(JSON.parse(ask(name))).toEqual(JSON.parse(written));
      expect(ask(name, unkept('sing-golden'))).toBe(ask(name));
    });

    it.each([GOLDEN_PROGRAM, PROGRAM])('%s has the engine in it that it makes', (program) => {
      const engine = execFileSync(program, ['--print-planner'], { maxBuffer: 1 << 24 });
      expect(engine.length).toBeGreaterThan(100_000);
      expect(readFileSync(program).includes(engine)).toBe(true);
    });
  },
);

describe.skipIf(skipContainers())('planner on this machine', () => {
  let image = '';
  let remove = async (): Promise<void> => undefined;
  beforeAll(async () => {
    const folder = await temporaryFolder();
    remove = folder.remove;
    image = makeImage(folder.path);
  });
  afterAll(() => remove());

  /** Handles are numbers of descriptors, which differ between two processes. */
  const comparable = (text: string): unknown =>
    JSON.parse(text, (key, value: unknown) => (key === 'handle' ? 'handle' : value));

  it.each([
    [],
    ['--pid', '--writable-tmpfs'],
    ['--containall', '--env', 'A=ä$B'],
    ['-B', '/etc:/mnt:ro,/tmp:/ü'],
    ['--userns', '--hostname', 'x'],
  ])('decides %j as in Node', (...flags) => {
    const words = ['exec', '--dry-run', ...flags, image, 'echo', 'ö'];
    const native = execFileSync(PROGRAM, words, { encoding: 'latin1', stdio: ['ignore', 'pipe', 'ignore'] });
    const answer = answerCommandLine(words.map(bytesOf), systemHost());
    expect(comparable(native)).toEqual(comparable(answer.kind === 'print' ? answer.stdout : '{}'));
  });

  it('decides in more memory than an engine begins with as without a kept engine', () => {
    const variables = Array.from({ length: 1500 }, (_, index) => [`V${index}`, 'ä'.repeat(200)]);
    const ask = (program: string): string =>
      execFileSync(program, ['exec', '--dry-run', image, 'true'], {
        env: Object.fromEntries(variables),
        maxBuffer: 1 << 26,
        stdio: ['ignore', 'pipe', 'ignore'],
      }).toString('latin1');
    expect(ask(PROGRAM)).toBe(ask(unkept('sing')));
    expect(ask(PROGRAM)).toContain(`V1499=${'\\u00c3\\u00a4'.repeat(200)}`);
  });

  it('has every host function in Node', () => {
    const names = Object.keys(systemHost()).sort();
    expect(names).toEqual([
      'account',
      'accountNamed',
      'environment',
      'groupNames',
      'identity',
      'installation',
      'instance',
      'isTerminal',
      'linkStatus',
      'mayAccess',
      'mayUseFuse',
      'openImage',
      'readFile',
      'readLink',
      'realPath',
      'status',
      'workingDirectory',
    ]);
  });
});

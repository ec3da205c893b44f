import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeImage, ordinaryId, PROGRAM, skipContainers } from '../support/containers.js';
import { commandWithFuse, ENVIRONMENT, makeSquashfs, serverIdle } from '../support/fuse.js';
import { processesWith } from '../support/processes.js';
import { temporaryFolder } from '../support/temporary.js';

const NONE = '0000000000000000';
const LOOK = ['grep', '-E', '^(Cap|NoNewPrivs)', '/proc/self/status'];

/** An ordinary user who holds these capabilities, as a service of systemd with AmbientCapabilities= does. */
const ambient = (names: string): readonly string[] => ['--inh-caps', names, '--ambient-caps', names];

/** The lines of /proc/self/status by name. */
function statusOf(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .trimEnd()
      .split('\n')
      .map((line) => line.split(':\t') as [string, string]),
  );
}

// Callers between an ordinary user and root. Only root can make them.
describe.skipIf(skipContainers() || process.getuid?.() !== 0)('a caller with some capabilities', () => {
  let folder = '';
  let image = '';
  let remove = async (): Promise<void> => undefined;
  beforeAll(async () => {
    ({ path: folder, remove } = await temporaryFolder());
    image = makeImage(folder);
  });
  afterAll(() => remove());

  const user = ['--reuid', String(ordinaryId()), '--regid', String(ordinaryId()), '--clear-groups'];
  const exec = (privileges: readonly string[], ...flags: readonly string[]): Record<string, string> => {
    const words = [...privileges, PROGRAM, '-s', 'exec', ...flags, image, ...LOOK];
    const { status, stdout, stderr } = spawnSync('setpriv', words, {
      cwd: '/',
      encoding: 'utf8',
      env: ENVIRONMENT,
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return statusOf(stdout);
  };
  const nothing = { CapInh: NONE, CapPrm: NONE, CapEff: NONE, CapBnd: NONE, CapAmb: NONE, NoNewPrivs: '1' };

  it.each(['+net_bind_service', '+sys_admin', '+dac_read_search', '+net_bind_service,+setpcap'])(
    'has, as a user with %s, none inside, as other users have none',
    (names) => {
      expect(exec([...ambient(names), ...user])).toEqual(nothing);
      expect(exec([...ambient(names), ...user], '--pid')).toEqual(nothing);
    },
  );

  it('has the same as --fakeroot as other users have', () => {
    expect(exec([...ambient('+net_bind_service'), ...user], '--fakeroot')).toEqual(exec(user, '--fakeroot'));
  });

  it('has, as root without CAP_SETPCAP, what it held', () => {
    const inside = exec(['--bounding-set', '-setpcap']);
    const held = statusOf(
      spawnSync('setpriv', ['--bounding-set', '-setpcap', ...LOOK], { encoding: 'utf8' }).stdout,
    );
    expect(inside).toMatchObject({ CapEff: held['CapEff'], CapBnd: held['CapBnd'], NoNewPrivs: '0' });
  });

  it('and nothing with --no-privs, also where the bounding set stays', () => {
    const { CapBnd, ...others } = nothing;
    expect(exec(['--bounding-set', '-setpcap'], '--no-privs')).toMatchObject(others);
    expect(exec([], '--no-privs')).toEqual({ ...others, CapBnd });
  });

  it.each([
    ['of its own', 0, [NONE]],
    // The keeper of a shared mount has the right to copy it, in its own namespace; it does not read the image.
    ['that is shared', 1, [NONE, '0000000000200000']],
  ] as const)('does not lend them to a server %s that reads the image for it', async (_, idle, expected) => {
    const squashfs = makeSquashfs(image, join(folder, `image-${idle}-.sqfs`));
    const [program = '', ...args] = commandWithFuse(
      folder,
      'open',
      [...serverIdle(folder, idle), '-q', 'exec', squashfs, 'sh', '-c', 'echo ready; cat'],
      ambient('+net_bind_service,+sys_admin'),
    );
    const child = spawn(program, args, { cwd: '/', env: ENVIRONMENT, stdio: ['pipe', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    // Its own name, and the words of the program that it was forked from.
    const servers = processesWith('sing-image').filter((line) => line.includes(squashfs));
    const statuses = servers.map((line) => readFileSync(`/proc/${line.split(' ')[0]}/status`, 'latin1'));
    child.stdin.end();
    await once(child, 'close');
    const effective = statuses.map((status) => /^CapEff:\t(.*)$/m.exec(status)?.[1]);
    expect(new Set(effective)).toEqual(new Set(expected));
  });
});

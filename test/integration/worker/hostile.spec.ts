import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BASE, contextOf, POST, processesWith, RemoteBuilds } from '../../support/remote-builds.js';

describe('a worker among hostile builds', () => {
  let builds: RemoteBuilds;

  beforeAll(async () => {
    builds = await RemoteBuilds.start();
  });
  afterAll(() => builds.stop());

  const FILES = 'bootstrap: scratch\n%files\n/data /data\n';

  it.each([
    ['an absolute link', '/etc/passwd'],
    ['a link that climbs', '../../../../../etc/passwd'],
    ['a link to a directory', '/etc'],
  ])('never puts a file of its own machine into an image: %s in the context', async (_, linkname) => {
    const context = await contextOf([
      { name: 'data/', type: 'directory' },
      { name: 'data/evil', type: 'symlink', linkname },
    ]);
    const id = await builds.submitWith(FILES, context);
    expect(await builds.logOf(id)).toMatch(/while copying \/data\/evil|links that stay in the archive/);
    expect((await builds.builder.status(id)).imageSize).toBeUndefined();
    expect(await builds.leftovers()).toEqual([]);
  });

  /** Cancels a build when its log says a word, and answers with the log. */
  async function cancelAt(word: string, id: string): Promise<string> {
    let cancelled: Promise<void> | undefined;
    const log = await builds.logOf(id, (text) => {
      if (text.includes(word)) cancelled ??= builds.builder.cancel(id);
    });
    await cancelled;
    return log;
  }

  it('leaves no process of a %post that forks, leaves its session and ignores every signal', async () => {
    // Without the trace: what runs beside the script would write into its lines.
    const script = `set +x
trap '' TERM INT HUP QUIT
setsid sh -c "trap '' TERM; sleep 76543" &
(sleep 76543 &)
nohup sleep 76543 > /dev/null 2>&1 &
echo all started
sleep 76543
`;
    const log = await cancelAt('\nall started\n', await builds.submit(BASE + POST + script));
    expect(log).toContain('Build cancelled.');
    await expect.poll(() => processesWith('76543'), { timeout: 5000 }).toEqual([]);
    await expect.poll(() => builds.leftovers(), { timeout: 5000 }).toEqual([]);
  });

  it('cannot be told apart from its own lines by what a %post prints', async () => {
    const id = await builds.submit(
      `${BASE}${POST}printf 'no end'; printf '\\xff\\xfe\\x00\\e[31m'\nexit 5\n`,
    );
    const log = await builds.logOf(id);
    // Bytes that are no text become a character that says so; the reason has a line of its own.
    expect(log).toContain('\ufffd\ufffd\0\u001b[31m');
    expect(log).toMatch(
      /\nBuild failed: while running %post at line 8 of the definition: exit status 5\. .*\n$/,
    );
    expect(await builds.builder.output(id)).toBe(log);
  });

  it('keeps the beginning and the end of a log without end', async () => {
    const flood = 'set +x\nyes "$(printf %01000d 1)" | head -c 90000000\nset -x\nexit 6\n';
    const log = await builds.logOf(await builds.submit(BASE + POST + flood));
    expect(log.length).toBeLessThan(70_000_000);
    // Only pieces of it are compared: a failure would print all of it.
    expect(log.slice(0, 100)).toContain('INFO:    Starting build from scratch');
    expect(log.includes('[The log is as long as it may be (67108864 bytes): only its end follows]')).toBe(
      true,
    );
    expect(log.slice(-300)).toMatch(
      /\+ line 10: exit 6\nBuild failed: .*at line 10 of the definition: exit status 6\. .*\n$/,
    );
  });

  it('gives a build back when it stops, at once and without counting it', async () => {
    const chatter = 'set +x\nwhile true; do echo still here; usleep 2000; done\n';
    const id = await builds.submit(BASE + POST + chatter);
    let stopped: Promise<RemoteBuilds> | undefined;
    let begin = 0;
    const watching = builds
      .logOf(id, (text) => {
        if (!text.includes('still here')) return;
        begin ||= performance.now();
        stopped ??= builds.restart();
      })
      .catch(() => undefined);
    await expect.poll(() => stopped !== undefined, { timeout: 20_000 }).toBe(true);
    builds = (await stopped) ?? builds;
    // Far from the half minute after which a supervisor kills.
    expect(performance.now() - begin).toBeLessThan(15_000);
    await watching;
    const log = await cancelAt('begins anew when there is one again.\nINFO:    A worker has the build', id);
    expect(log).toMatch(/the build of library:\/\/\S+:latest begins anew/);
    expect(log).not.toContain('was lost');
    expect(log).toMatch(/Build cancelled\.\n$/);
    expect((await builds.builder.status(id)).status).toBe('Cancelled');
  });
});

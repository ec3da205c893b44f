import { describe, expect, it } from 'vitest';
import { answerCommandLine } from '../commandLine.js';
import { baseHost, hostOf } from '../testing/fakeHost.js';
import { ACTION_FLAGS } from './actionFlags.js';
import type { Flag } from './flag.js';

/** Flags of runtime contract §1.4 that this version does not do. Whoever offers one takes it away here. */
const LACKING = [
  'allow-setuid add-caps drop-caps security no-setgroups network-args netns-path fusemount nv nvccli rocm apply-cgroups',
  'blkio-weight blkio-weight-device cpu-shares cpus cpuset-cpus cpuset-mems memory memory-reservation memory-swap oom-kill-disable pids-limit',
  'passphrase pem-path tmp-sandbox no-tmp-sandbox tmpdir unsquash oci no-compat keep-layers device cdi-dirs data',
  'dmtcp-launch dmtcp-restart sharens runscript-timeout ignore-subuid ignore-userns ignore-fakeroot-command',
]
  .join(' ')
  .split(' ');

const flagNamed = (name: string): Flag => {
  const flag = ACTION_FLAGS.find((one) => one.name === name);
  if (flag === undefined) throw new Error(`no flag ${name}`);
  return flag;
};

const host = baseHost();
function answer(
  words: readonly string[],
  environment: readonly string[] = [],
): { status: number | null; text: string } {
  const given = answerCommandLine(
    words,
    hostOf({ ...host, environment: [...host.environment, ...environment] }),
  );
  if (given.kind === 'node' || given.kind === 'instances') return { status: null, text: given.kind };
  return {
    status: given.kind === 'print' ? given.status : 0,
    text: given.messages.map(({ text }) => text).join('\n'),
  };
}

describe('what this version does not do', () => {
  it.each(LACKING)('--%s is refused with a sentence, by every verb', (name) => {
    const words = flagNamed(name).takes === 'nothing' ? [`--${name}`] : [`--${name}`, 'x'];
    for (const verb of ['exec', 'run', 'shell', 'test']) {
      const { status, text } = answer([verb, ...words, '/img', 'true']);
      expect([status, text]).toEqual([
        255,
        expect.stringContaining(`--${name} is not offered by this version`),
      ]);
    }
  });

  it.each(LACKING.filter((name) => (flagNamed(name).keys ?? []).length > 0))(
    '--%s is refused from the environment, too',
    (name) => {
      const { keys = [] } = flagNamed(name);
      for (const prefix of ['SING_', 'SINGULARITY_', 'APPTAINER_'])
        for (const key of keys) {
          const { status, text } = answer(['exec', '/img', 'true'], [`${prefix}${key}=1`]);
          expect([status, text]).toEqual([
            255,
            expect.stringContaining(`${prefix}${key} (--${name}) is not offered`),
          ]);
        }
    },
  );

  it.each(LACKING.filter((name) => flagNamed(name).takes === 'nothing'))(
    '--%s=false asks for nothing',
    (name) => {
      expect(answer(['exec', `--${name}=false`, '/img', 'true']).status).toBe(0);
    },
  );

  it.each(['no-nv', 'no-rocm', 'no-oci'])('--%s is granted: it is the case anyway', (name) => {
    expect(answer(['exec', `--${name}`, '/img', 'true'])).toEqual({ status: 0, text: '' });
  });

  it('is in no help', () => {
    for (const name of LACKING) expect(flagNamed(name).summary).toBeUndefined();
  });

  it.each([
    [['--net'], 'network bridge is not offered'],
    [['--net', '--network', 'bridge'], 'network bridge is not offered'],
    [['--network', 'ptp,none'], 'network ptp,none is not offered'],
    [['--fakeroot', '--network', 'bridge'], 'network bridge is not offered'],
  ])('%j is refused', (words, sentence) => {
    const { status, text } = answer(['exec', ...words, '/img', 'true']);
    expect([status, text]).toEqual([255, expect.stringContaining(sentence)]);
  });

  it('a network that is named without --net is the one of the container', () => {
    const given = answerCommandLine(['exec', '--network', 'none', '/img', 'true'], hostOf(host));
    expect(given).toMatchObject({ kind: 'launch', plan: { namespaces: { net: 'loopback' } } });
  });
});

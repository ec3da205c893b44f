import { describe, expect, test } from 'vitest';
import { Attempts } from './attempts.js';
import { AUTH_LIMITS } from './limits.js';

function world() {
  let now = 0;
  const attempts = new Attempts(() => now);
  return {
    attempts,
    advance: (milliseconds: number) => {
      now += milliseconds;
    },
    fail: (count: number, username: string, address: string) => {
      for (let one = 0; one < count; one += 1) attempts.begin(username, address);
    },
  };
}

describe('wrong passwords', () => {
  test('five from one place, then a wait that ends', () => {
    const { attempts, advance, fail } = world();
    fail(5, 'alice', '10.0.0.1');
    expect(() => attempts.begin('alice', '10.0.0.1')).toThrow('try again in 60 seconds');
    expect(() => attempts.begin('alice', '10.0.0.2')).not.toThrow();
    advance(AUTH_LIMITS.attemptWindowMs);
    expect(() => attempts.begin('alice', '10.0.0.1')).not.toThrow();
  });

  test('right ones do not count', () => {
    const { attempts } = world();
    for (let one = 0; one < 200; one += 1) attempts.begin('alice', '10.0.0.1')();
    expect(() => attempts.begin('alice', '10.0.0.1')).not.toThrow();
  });

  test('many names from one place', () => {
    const { attempts } = world();
    for (let one = 0; one < AUTH_LIMITS.attemptsPerAddress; one += 1)
      attempts.begin(`user${one}`, '10.0.0.1');
    expect(() => attempts.begin('another', '10.0.0.1')).toThrow('Too many');
    expect(() => attempts.begin('another', '10.0.0.2')).not.toThrow();
  });

  test('one name from many places', () => {
    const { attempts } = world();
    for (let one = 0; one < AUTH_LIMITS.attemptsPerAccount; one += 1)
      attempts.begin('alice', `10.0.${one}.1`);
    expect(() => attempts.begin('alice', '10.1.0.1')).toThrow('Too many');
    expect(() => attempts.begin('bob', '10.1.0.1')).not.toThrow();
  });

  test('the addresses of one IPv6 network are one place', () => {
    const { attempts } = world();
    for (const address of [
      '2001:db8::1',
      '2001:db8:0:0:1::',
      '2001:db8::ffff:1',
      '2001:0db8::2',
      '2001:db8:0::3',
    ])
      attempts.begin('alice', address);
    expect(() => attempts.begin('alice', '2001:db8::77')).toThrow('Too many');
    expect(() => attempts.begin('alice', '2001:db8:0:1::77')).not.toThrow();
    expect(() => attempts.begin('alice', '::ffff:10.0.0.1')).not.toThrow();
  });

  test('memory stays bounded', () => {
    const { attempts } = world();
    for (let one = 0; one < AUTH_LIMITS.attemptCounters; one += 1)
      attempts.begin(`u${one}`, `10.${one >> 16}.${(one >> 8) & 255}.${one & 255}`);
    expect(attempts.size).toBeLessThanOrEqual(AUTH_LIMITS.attemptCounters + 3);
  });
});

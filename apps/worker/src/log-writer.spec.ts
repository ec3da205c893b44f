import { describe, expect, it, vi } from 'vitest';
import { LIMITS } from './limits.js';
import { LogWriter, Unwanted } from './log-writer.js';
import { OutputText } from './text.js';

class Store {
  text = Buffer.alloc(0);
  wanted = true;
  failures: Error[] = [];
  calls = 0;

  append = async (offset: number, bytes: Uint8Array): Promise<{ size: number; wanted: boolean }> => {
    this.calls += 1;
    const failure = this.failures.shift();
    if (failure !== undefined) throw failure;
    if (offset !== this.text.length) throw new Error(`a gap or a repetition at ${offset}`);
    if (this.wanted) this.text = Buffer.concat([this.text, bytes]);
    return { size: this.text.length, wanted: this.wanted };
  };
}

describe('the log of a build', () => {
  it('is sent whole and in order, whatever the sizes', async () => {
    const store = new Store();
    const writer = new LogWriter(store, 0, () => undefined);
    const lines = Array.from({ length: 500 }, (_, index) => `${index} ${'x'.repeat((index * 37) % 3000)}`);
    for (const line of lines) writer.line(line);
    await writer.close();
    expect(store.text.toString()).toBe(lines.map((line) => `${line}\n`).join(''));
    expect(store.calls).toBeLessThan(50);
  });

  it('is on its way at once after a pause; what follows waits for more', async () => {
    vi.useFakeTimers();
    try {
      const store = new Store();
      const writer = new LogWriter(store, 0, () => undefined);
      for (const round of [0, 1]) {
        const before = '0a\n0b\n0c\n'.repeat(round);
        writer.line(`${round}a`);
        writer.line(`${round}b`);
        await vi.advanceTimersByTimeAsync(1);
        expect(store.text.toString()).toBe(`${before}${round}a\n${round}b\n`);
        writer.line(`${round}c`);
        await vi.advanceTimersByTimeAsync(LIMITS.logDelay - 2);
        expect(store.text.toString()).not.toContain(`${round}c`);
        await vi.advanceTimersByTimeAsync(2);
        expect(store.text.toString()).toBe(`${before}${round}a\n${round}b\n${round}c\n`);
        await vi.advanceTimersByTimeAsync(LIMITS.logDelay);
      }
      await writer.close();
    } finally {
      vi.useRealTimers();
    }
  });

  it('begins where an earlier try ended', async () => {
    const store = new Store();
    store.text = Buffer.from('before\n');
    const writer = new LogWriter(store, 7, () => undefined);
    writer.line('after');
    await writer.close();
    expect(store.text.toString()).toBe('before\nafter\n');
  });

  it('tells that nobody wants the build, also when there is nothing to say', async () => {
    const store = new Store();
    store.wanted = false;
    const why = await new Promise((resolve) => {
      const writer = new LogWriter(store, 0, resolve, { logBytes: 100, logEndBytes: 10, heartbeat: 5 });
      void writer;
    });
    expect(why).toBeInstanceOf(Unwanted);
  });

  it('fails when the log cannot be kept', async () => {
    const store = new Store();
    store.failures = [new Error('no space')];
    const onUnwanted = vi.fn<(why: unknown) => void>();
    const writer = new LogWriter(store, 0, onUnwanted);
    writer.line('x');
    await expect(writer.close()).rejects.toThrow('no space');
    expect(onUnwanted).toHaveBeenCalledOnce();
  });

  it('loses its middle when it is too long, says so, and keeps its end', async () => {
    const store = new Store();
    const limits = { logBytes: 1000, logEndBytes: 200, heartbeat: 1000 };
    const writer = new LogWriter(store, 0, () => undefined, limits);
    for (let index = 0; index < 20; index += 1) writer.write('x'.repeat(90));
    // Small enough for what was left before: it is not put in front of what came earlier.
    writer.write('€'.repeat(50));
    writer.line('the reason');
    await writer.close();
    expect(store.text.toString()).toBe(
      `${'x'.repeat(990)}\n[The log is as long as it may be (1000 bytes): only its end follows]\n` +
        `[772 bytes are left out here]\n${'x'.repeat(38)}${'€'.repeat(50)}\nthe reason\n`,
    );
  });

  it('counts what earlier tries wrote', async () => {
    const store = new Store();
    store.text = Buffer.alloc(995, 'y');
    const limits = { logBytes: 1000, logEndBytes: 200, heartbeat: 1000 };
    const writer = new LogWriter(store, 995, () => undefined, limits);
    writer.line('one');
    writer.line('two');
    await writer.close();
    expect(store.text.subarray(995).toString()).toMatch(/^one\n\n\[The log.*\]\ntwo\n$/);
  });

  it('cuts no character', async () => {
    const store = new Store();
    const limits = { logBytes: 10, logEndBytes: 10, heartbeat: 1000 };
    const writer = new LogWriter(store, 0, () => undefined, limits);
    writer.write('€'.repeat(100));
    await writer.close();
    expect(store.text.toString()).not.toContain('\ufffd');
    expect(store.text.toString()).toMatch(/€€€$/);
  });

  it('begins a line of its own where a program left off', async () => {
    const store = new Store();
    const writer = new LogWriter(store, 0, () => undefined);
    writer.write('partial');
    writer.line('INFO');
    writer.line('INFO');
    await writer.close();
    expect(store.text.toString()).toBe('partial\nINFO\nINFO\n');
  });
});

describe('output of programs', () => {
  it('becomes valid text, and characters that were cut are whole again', () => {
    const text = new OutputText();
    const bytes = Buffer.from('é€😀');
    let joined = '';
    for (const byte of bytes) joined += text.take(Uint8Array.of(byte));
    expect(joined + text.take(Uint8Array.of(0xff, 0x41)) + text.end()).toBe('é€😀\ufffdA');
  });
});

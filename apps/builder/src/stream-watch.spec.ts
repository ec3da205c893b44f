import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LIMITS } from './limits.js';
import { StreamWatch } from './stream-watch.js';

describe('the watch over a log stream', () => {
  const socket = Object.assign(new EventEmitter(), { ping: vi.fn(), close: vi.fn(), terminate: vi.fn() });
  let revoked: boolean;
  let watch: StreamWatch;
  const pings = (count: number): unknown => vi.advanceTimersByTime(count * LIMITS.pingSeconds * 1000);

  beforeEach(() => {
    vi.useFakeTimers();
    vi.clearAllMocks();
    revoked = false;
    watch = new StreamWatch(socket as never, () => revoked);
  });
  afterEach(() => {
    watch.stop();
    vi.useRealTimers();
  });

  it('pings, and lets a reader be who answers', () => {
    for (let count = 0; count < 20; count += 1) {
      pings(1);
      socket.emit('pong');
    }
    expect(socket.ping).toHaveBeenCalledTimes(20);
    expect(socket.terminate).not.toHaveBeenCalled();
  });

  it('lets a slow reader be, who takes text and has not come to the ping', () => {
    for (let count = 0; count < 20; count += 1) {
      pings(1);
      watch.heard();
    }
    expect(socket.terminate).not.toHaveBeenCalled();
  });

  it('ends a connection at whose end nobody is', () => {
    pings(LIMITS.unansweredPings);
    expect(socket.terminate).not.toHaveBeenCalled();
    pings(1);
    expect(socket.terminate).toHaveBeenCalled();
  });

  it('ends a stream whose token was revoked, within a second', () => {
    revoked = true;
    vi.advanceTimersByTime(500);
    expect(socket.close).toHaveBeenCalledWith(1008, expect.stringContaining('revoked'));
  });
});

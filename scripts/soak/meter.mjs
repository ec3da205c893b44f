import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/**
 * Stands before a server on this machine, passes everything on, and counts it. TLS passes through.
 * @param target the port of the server, asked with every connection
 */
export async function openMeter(target) {
  const passed = { up: 0, down: 0 };
  const sockets = new Set();
  const server = createServer({ pauseOnConnect: true }, (client) => {
    const upstream = connect(target(), '127.0.0.1');
    for (const [from, to, direction] of [
      [client, upstream, 'up'],
      [upstream, client, 'down'],
    ]) {
      sockets.add(from);
      from.on('data', (chunk) => {
        passed[direction] += chunk.length;
        if (to.write(chunk)) return;
        from.pause();
        to.once('drain', () => from.resume());
      });
      from.on('end', () => to.end());
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
    client.resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: server.address().port,
    /** Bytes of both directions since the last call, TLS included. */
    take() {
      const { up, down } = passed;
      passed.up = 0;
      passed.down = 0;
      return { up, down };
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

import { WebSocket } from 'ws';
import { within } from '../soak/until.mjs';

/**
 * Opens the log of a build.
 * @returns the status that refused it, or the open socket with `closed`, a promise of the code with which it ends
 */
export async function openLog(world, build, { query = '', token } = {}) {
  const url = `${world.of('builder').url.replace(/^http/, 'ws')}/v1/build-ws/${build}${query}`;
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const socket = new WebSocket(url, { ca: world.site.ca, headers });
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const answered = new Promise((resolve) => {
    socket.once('open', () => resolve({ status: 101, text: '', socket, closed }));
    socket.once('unexpected-response', (_, answer) => {
      answer.resume();
      resolve({ status: answer.statusCode, text: '' });
    });
  });
  return within(5000, 'an answer to a log socket', answered);
}

import { connect } from 'node:tls';
import type { StartedApp } from './app.js';

export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly text: string;
}

/** Sends bytes as they are to an app and reads until it hangs up: for requests that no HTTP client would send. */
export function rawRequest(app: StartedApp, text: string | Buffer): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({ host: '127.0.0.1', port: app.config.port, ca: app.ca, servername: 'localhost' });
    socket.once('secureConnect', () => socket.write(text));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.once('error', reject);
    socket.once('close', () => {
      const answer = Buffer.concat(chunks).toString('utf8');
      const end = answer.indexOf('\r\n\r\n');
      const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(answer) ?? [];
      resolve({ status: Number(status), head: answer.slice(0, end), text: answer.slice(end + 4) });
    });
  });
}

import { rmSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Endpoint, ScsConfig } from '#libs/config';
import { identify, isAlive } from './processes.js';

/** What one can ask of a supervisor, one word a line, over a socket in the private run folder. */
type ControlWord = 'status' | 'stop';

/** The answer to `status`: the endpoint, or `starting` while there is none. */
export type ControlStatus =
  | { readonly state: 'starting'; readonly pid: number }
  | {
      readonly state: 'running';
      readonly endpoint: Endpoint;
      readonly notes: readonly string[];
      /** What it was started from ({@link buildOf}). */
      readonly build: string;
    };

const pathOf = (config: ScsConfig): string => join(config.runFolder, 'control.sock');
const LONGEST_WORD = 100;

export interface ControlAnswers {
  readonly status: () => ControlStatus;
  readonly stop: () => void;
}

/**
 * Listens for `status` and `stop`. Call it only while holding the instance's lock: a socket that is there then is stale.
 * Whoever asked `stop` sees the end of the process as the end of the connection.
 */
export function listenForControl(config: ScsConfig, answers: ControlAnswers): Promise<Server> {
  const server = createServer((socket) => serve(socket, answers));
  rmSync(pathOf(config), { force: true });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(pathOf(config), () => resolve(server));
  });
}

function serve(socket: Socket, answers: ControlAnswers): void {
  let text = '';
  socket.setEncoding('utf8').on('error', () => socket.destroy());
  socket.on('data', (chunk: string) => {
    text += chunk;
    if (text.length > LONGEST_WORD) socket.destroy();
    else if (text === 'status\n') socket.end(`${JSON.stringify(answers.status())}\n`);
    else if (text === 'stop\n') {
      socket.write('stopping\n');
      answers.stop();
    }
  });
}

/** Asks how the instance is; undefined when no supervisor answers. */
export async function askStatus(config: ScsConfig): Promise<ControlStatus | undefined> {
  const answer = await ask(config, 'status');
  return answer === undefined || answer === '' ? undefined : (JSON.parse(answer) as ControlStatus);
}

/** Asks the instance to stop and waits until its supervisor is gone. @returns false when no supervisor answers */
export async function askStop(config: ScsConfig): Promise<boolean> {
  const status = await askStatus(config);
  if (status === undefined) return false;
  const supervisor = identify(status.state === 'running' ? status.endpoint.pid : status.pid);
  await ask(config, 'stop');
  // The connection ends a moment before the process does.
  if (supervisor !== undefined) while (isAlive(supervisor)) await wait(5);
  return true;
}

/** Sends a word and reads until the other side ends the connection. */
function ask(config: ScsConfig, word: ControlWord): Promise<string | undefined> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = createConnection({ path: pathOf(config) });
    socket.once('connect', () => socket.write(`${word}\n`));
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
    });
    socket.once('error', () => resolve(answer === '' ? undefined : answer));
    socket.once('close', () => resolve(answer));
  });
}

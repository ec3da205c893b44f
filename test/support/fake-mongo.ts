import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { BSON, type Document } from 'mongodb';
import { temporaryFolder } from './temporary.js';

export interface FakeMongo {
  /** On a socket that is closed to others, which needs neither TLS nor a password. */
  url(query?: string): string;
  /** The same server on a port of this machine. */
  readonly port: number;
  /** Commands in the order they came, handshakes left out. */
  readonly commands: readonly Document[];
  close(): Promise<void>;
}

/**
 * What a command is answered with; undefined for the usual answer. `commands` are those before it, `connection` stands for the
 * connection that it came over.
 */
export type FakeAnswer = (
  command: Document,
  commands: readonly Document[],
  connection: object,
) => Document | undefined;

const OP_REPLY = 1;
const OP_QUERY = 2004;
const OP_MSG = 2013;

/**
 * The far end of the MongoDB driver, for what no server at hand does: other versions, no replica set, and which indexes,
 * hints and transactions a real one is asked for. It stores nothing.
 */
export async function startFakeMongo(options: {
  readonly version?: string;
  readonly replicaSet?: string;
  readonly answer?: FakeAnswer;
}): Promise<FakeMongo> {
  const commands: Document[] = [];
  const sockets = new Set<Socket>();
  const usual = (command: Document): Document => {
    const name = Object.keys(command)[0] ?? '';
    if (/^(hello|ismaster)$/i.test(name)) return hello(port, options.replicaSet);
    if (name === 'buildInfo') return { version: options.version ?? '7.0.14', ok: 1 };
    if (/^(find|listCollections|listIndexes|aggregate)$/.test(name))
      return { cursor: { id: BSON.Long.ZERO, ns: 'x.y', firstBatch: [] }, ok: 1 };
    return { ok: 1, n: 1, nModified: 1 };
  };
  const onConnection = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    let waiting = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      waiting = Buffer.concat([waiting, chunk]);
      // What is no message, such as the greeting of TLS, ends the connection, as a real server ends it.
      if (waiting.length >= 16 && ![OP_QUERY, OP_MSG].includes(waiting.readInt32LE(12))) socket.destroy();
      while (waiting.length >= 16 && waiting.length >= waiting.readInt32LE(0)) {
        const message = waiting.subarray(0, waiting.readInt32LE(0));
        waiting = waiting.subarray(message.length);
        const command = commandOf(message);
        const answer = options.answer?.(command, commands, socket) ?? usual(command);
        if (!/^(hello|ismaster)$/i.test(Object.keys(command)[0] ?? '')) commands.push(command);
        socket.write(replyTo(message, answer));
      }
    });
  };
  const folder = await temporaryFolder();
  const path = join(folder.path, 'mongo.sock');
  const server = createServer(onConnection).listen(0, '127.0.0.1');
  const onSocket = createServer(onConnection).listen(path);
  await Promise.all([once(server, 'listening'), once(onSocket, 'listening')]);
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  return {
    url: (query = '') => `mongodb://${encodeURIComponent(path)}/${query}`,
    port,
    commands,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      onSocket.close();
      await Promise.all([once(server, 'close'), once(onSocket, 'close')]);
      await folder.remove();
    },
  };
}

function hello(port: number, replicaSet: string | undefined): Document {
  const me = `127.0.0.1:${port}`;
  return {
    helloOk: true,
    ismaster: true,
    isWritablePrimary: true,
    ...(replicaSet === undefined ? {} : { setName: replicaSet, setVersion: 1, hosts: [me], me, primary: me }),
    logicalSessionTimeoutMinutes: 30,
    maxBsonObjectSize: 16_777_216,
    maxMessageSizeBytes: 48_000_000,
    maxWriteBatchSize: 100_000,
    minWireVersion: 0,
    maxWireVersion: 21,
    ok: 1,
  };
}

function commandOf(message: Buffer): Document {
  if (message.readInt32LE(12) === OP_QUERY)
    return BSON.deserialize(message.subarray(message.indexOf(0, 20) + 9));
  const length = message.readInt32LE(21);
  const command = BSON.deserialize(message.subarray(21, 21 + length));
  // Documents to insert and updates may stand in a section of their own.
  for (let at = 21 + length; at < message.length && message[at] === 1;) {
    const end = at + 1 + message.readInt32LE(at + 1);
    const nameEnd = message.indexOf(0, at + 5);
    const documents: Document[] = [];
    for (let from = nameEnd + 1; from < end; from += message.readInt32LE(from))
      documents.push(BSON.deserialize(message.subarray(from, from + message.readInt32LE(from))));
    command[message.toString('utf8', at + 5, nameEnd)] = documents;
    at = end;
  }
  return command;
}

function replyTo(message: Buffer, answer: Document): Buffer {
  const body = Buffer.from(BSON.serialize(answer));
  const query = message.readInt32LE(12) === OP_QUERY;
  const middle = Buffer.alloc(query ? 20 : 5);
  if (query) {
    middle.writeInt32LE(8, 0);
    middle.writeInt32LE(1, 16);
  }
  const head = Buffer.alloc(16);
  head.writeInt32LE(16 + middle.length + body.length, 0);
  head.writeInt32LE(message.readInt32LE(4), 8);
  head.writeInt32LE(query ? OP_REPLY : OP_MSG, 12);
  return Buffer.concat([head, middle, body]);
}

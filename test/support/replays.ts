import { readFileSync } from 'node:fs';
import { decodeJwt } from 'jose';
import { WebSocket } from 'ws';
import { type Answers, BETWEEN_SERVICES, BY_PEOPLE, isOf } from './internal-requests.js';
import { pathOf, type Recorded, type Recorder, type Replay } from './recorder.js';

/** What the token of a worker says. */
export interface WorkerClaims {
  readonly jti: string;
  readonly username: string;
  readonly subject: { readonly job: string; readonly container: string };
}

/** `worker → library`. */
export const pairOf = ({ from, to }: Recorded): string => `${from} → ${to}`;

/** Equal for requests that are the same in everything that is sent again. */
export const identityOf = (one: Recorded): string =>
  [pairOf(one), one.method, one.target, one.headers.authorization, one.body.toString('base64')].join(' ');

export const bearerOf = ({ headers }: Recorded): string | undefined =>
  /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1];

export const claimsOf = (one: Recorded): WorkerClaims => decodeJwt<WorkerClaims>(bearerOf(one) ?? '');

export const isWebSocket = ({ status }: Recorded): boolean => status === 101;

/** The route of a request and its line in the tables. @throws Error where there is none: nobody knew of that request */
export function routeOf(one: Recorded): readonly [string, Answers] {
  const known = Object.entries({ ...BETWEEN_SERVICES, ...BY_PEOPLE }[pairOf(one)] ?? {});
  const found = known.find(([route]) => isOf(route, one.method, pathOf(one.target)));
  if (found === undefined) throw new Error(`${pairOf(one)}: ${one.method} ${one.target} is in no table`);
  return found;
}

/** A request without what says who asks: the token, a signature in the address, a proof in the body. */
export function bare(one: Recorded): Replay {
  const { authorization: _none, ...headers } = one.headers;
  const [path, query] = one.target.split('?');
  const kept = query?.split('&').filter((part) => !/^(?:signature|mac)=/.test(part));
  const target = kept === undefined ? one.target : `${path}?${kept.join('&')}`;
  return { ...one, target, headers, body: withoutProof(one) };
}

function withoutProof({ to, target, body }: Recorded): Buffer {
  if (to === 'auth' && target === '/v1/auth/token') {
    const form = new URLSearchParams(body.toString());
    form.delete('client_assertion');
    return Buffer.from(form.toString());
  }
  if (!target.endsWith('/_ticket')) return body;
  const { clientAssertion: _proof, ...rest } = JSON.parse(body.toString()) as Record<string, unknown>;
  return Buffer.from(JSON.stringify(rest));
}

export const withToken = (one: Recorded, token: string): Replay => ({
  ...one,
  headers: { ...one.headers, authorization: `Bearer ${token}` },
});

/** The status of the answer to a request for a websocket; 101 when it became one. */
export function handshake(
  one: Recorded,
  token: string | undefined,
  { recorder, caFile }: { readonly recorder: Recorder; readonly caFile: string },
): Promise<number> {
  const socket = new WebSocket(recorder.url(one.to).replace(/^http/, 'ws') + one.target, {
    ca: readFileSync(caFile),
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
  });
  return new Promise((resolve, reject) => {
    socket.once('open', () => {
      socket.terminate();
      resolve(101);
    });
    socket.once('unexpected-response', (request, { statusCode = 0 }) => {
      request.destroy();
      resolve(statusCode);
    });
    socket.once('error', reject);
  });
}

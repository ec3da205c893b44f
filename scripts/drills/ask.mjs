import { once } from 'node:events';
import { Agent, request } from 'node:https';

/**
 * Sends requests to processes of a drill.
 * @param ca the authority that is trusted
 * @returns a function `(url, { method, token, headers, json, form, body })` that resolves with status, headers, text and parsed body
 */
export function asker(ca) {
  // Checked by the name that is called, whatever `Host` says.
  const agent = new Agent({ keepAlive: true, maxSockets: 4, ca, servername: 'localhost' });
  const ask = async (url, { method, token, headers = {}, json, form, body } = {}) => {
    const bytes = body ?? (json && JSON.stringify(json)) ?? (form && new URLSearchParams(form).toString());
    const sending = request(url, {
      agent,
      servername: 'localhost',
      method: method ?? (bytes === undefined ? 'GET' : 'POST'),
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        'content-length': String(Buffer.byteLength(bytes ?? '')),
        ...headers,
      },
    });
    sending.end(bytes);
    const [answer] = await once(sending, 'response');
    if (String(answer.headers['content-type']).startsWith('text/event-stream')) {
      // It has no end: that it began is the answer.
      sending.destroy();
      return { status: answer.statusCode, headers: answer.headers, text: '', body: undefined };
    }
    const chunks = [];
    for await (const chunk of answer) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    return { status: answer.statusCode, headers: answer.headers, text, body: parsed(answer, text) };
  };
  ask.close = () => agent.destroy();
  return ask;
}

function parsed({ headers }, text) {
  return String(headers['content-type']).includes('json') && text !== '' ? JSON.parse(text) : undefined;
}

/** The answer, which has to be good. @throws Error */
export async function good(answer) {
  const { status, text, body } = await answer;
  if (status < 200 || status > 299) throw new Error(`Expected success, got ${status} ${text.slice(0, 300)}`);
  return body?.data ?? body;
}

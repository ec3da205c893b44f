/** The media type that marks a DSSE envelope of SIF metadata (SIF contract §2.6). */
const PAYLOAD_TYPE = 'application/vnd.sylabs.sif-metadata+json';

interface EnvelopeSignature {
  /** Names the key, or is empty. */
  readonly keyid: string;
  readonly signature: Buffer;
}

/** A DSSE envelope whose payload is SIF metadata. */
export interface Envelope {
  readonly payload: Buffer;
  readonly signatures: readonly EnvelopeSignature[];
}

/** An envelope read from the data of a signature object, or undefined when the data is something else. */
export function readEnvelope(data: Buffer): Envelope | undefined {
  let json: unknown;
  try {
    json = JSON.parse(data.toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof json !== 'object' || json === null || !('payloadType' in json)) return undefined;
  if (json.payloadType !== PAYLOAD_TYPE) return undefined;
  const payload = base64('payload' in json ? json.payload : undefined);
  const list: unknown = 'signatures' in json ? json.signatures : undefined;
  if (payload === undefined || !Array.isArray(list)) return { payload: Buffer.alloc(0), signatures: [] };
  return { payload, signatures: (list as unknown[]).flatMap(readSignature) };
}

function readSignature(entry: unknown): EnvelopeSignature[] {
  if (typeof entry !== 'object' || entry === null) return [];
  const signature = base64('sig' in entry ? entry.sig : undefined);
  const keyid = 'keyid' in entry ? entry.keyid : '';
  return signature === undefined || typeof keyid !== 'string' ? [] : [{ keyid, signature }];
}

/** Standard or URL alphabet (SIF contract §2.6). */
function base64(text: unknown): Buffer | undefined {
  return typeof text === 'string' && /^[A-Za-z0-9+/_-]*={0,2}$/.test(text)
    ? Buffer.from(text, 'base64')
    : undefined;
}

/** The object data of an envelope: one JSON object, no white space, no newline. */
export function writeEnvelope({ payload, signatures }: Envelope): Buffer {
  return Buffer.from(
    JSON.stringify({
      payloadType: PAYLOAD_TYPE,
      payload: payload.toString('base64'),
      signatures: signatures.map(({ keyid, signature }) => ({ keyid, sig: signature.toString('base64') })),
    }),
  );
}

/** The octets that are signed: DSSE's pre-authentication encoding of type and payload. */
export function preAuthEncoding(payload: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} `),
    payload,
  ]);
}

import { compactVerify, importJWK, type JWK, SignJWT } from 'jose';
import { AuditHead, SIGNED_TYPES, type SigningJwk } from '#libs/contract';

/** A head as a compact JWS. The type keeps it apart from everything else that is signed here. */
export async function signHead(head: AuditHead, key: JWK & { readonly kid: string }): Promise<string> {
  return new SignJWT({ ...head })
    .setProtectedHeader({ alg: 'ES256', typ: SIGNED_TYPES.auditHead, kid: key.kid })
    .sign(await importJWK(key, 'ES256'));
}

/** What {@link HeadCheck} finds in a line: a head that one of the keys signed, or why it is none. */
export type CheckedHead =
  { readonly good: true; readonly head: AuditHead } | { readonly good: false; readonly why: string };

/** Checks signed heads with the public keys of a service. */
export class HeadCheck {
  readonly #keys: ReadonlyMap<string, SigningJwk>;

  constructor(keys: readonly SigningJwk[]) {
    this.#keys = new Map(keys.map((key) => [key.kid, key]));
  }

  /** Never throws: a head that is none is a finding. */
  async check(signed: string): Promise<CheckedHead> {
    try {
      const { payload } = await compactVerify(
        signed,
        async ({ typ, kid }) => {
          const key = this.#keys.get(kid ?? '');
          if (typ !== SIGNED_TYPES.auditHead) throw new Error('it is no head');
          if (key === undefined) throw new Error('its key is none of this service');
          return importJWK({ ...key }, 'ES256');
        },
        { algorithms: ['ES256'] },
      );
      const head = AuditHead.safeParse(JSON.parse(new TextDecoder().decode(payload)));
      return head.success ? { good: true, head: head.data } : { good: false, why: 'it is no head' };
    } catch (error) {
      const why =
        error instanceof Error && error.constructor === Error ? error.message : 'its signature is wrong';
      return { good: false, why };
    }
  }
}

import type { FastifyReply, FastifyRequest } from 'fastify';
import { readArmor } from '#libs/pgp';
import type { StoredCertificate } from './certificates.store.js';
import { etagOf, isKnown } from './conditional.js';
import { LIMITS } from './limits.js';
import { modifiedOf } from './lookup.service.js';

/** Certificates as binary packets, as many as one answer may hold, or 304 without any. @param now milliseconds */
export function binaryAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  certificates: readonly StoredCertificate[],
  { type, now }: { readonly type: string; readonly now: number },
): Buffer | string {
  let bytes = 0;
  const parts = certificates.flatMap(({ armor }) => readArmor(armor));
  const body = Buffer.concat(parts.filter(({ length }) => (bytes += length) <= LIMITS.answeredBytes));
  reply.header('content-type', type);
  return isKnown(request, reply, etagOf(body), { ...modifiedOf(certificates), now }) ? '' : body;
}

import type { FastifyReply } from 'fastify';
import { PAGE_POLICY } from '#libs/server';

/** Whether whoever asks is a browser in which somebody reads: programs do not ask for HTML. */
export const wantsPage = (accept: string | undefined): boolean => accept?.includes('text/html') === true;

/** Makes the answer a page: strict, like every page of ours. */
export function asPage(reply: FastifyReply, page: string): string {
  void reply.headers({
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': PAGE_POLICY,
  });
  return page;
}

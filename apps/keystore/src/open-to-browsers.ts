import { applyDecorators, Header } from '@nestjs/common';
import type { FastifyReply } from 'fastify';

/** The response header that leads to the next page (keystore contract §1.8). */
export const NEXT_PAGE = 'x-hkp-next-page-token';

/** Programs in the pages of others may read the answer: it is public, and no cookie has to do with it (keystore contract §1.14). */
export const OpenToBrowsers = (): MethodDecorator =>
  applyDecorators(
    Header('access-control-allow-origin', '*'),
    Header('access-control-expose-headers', NEXT_PAGE),
  );

/** Answers the question of a browser whether a program in it may ask (Fetch standard, CORS preflight). */
export function allowBrowsers(reply: FastifyReply): void {
  void reply.headers({
    'access-control-allow-origin': '*',
    'access-control-allow-methods': 'GET, HEAD, POST, OPTIONS',
    'access-control-allow-headers': 'authorization, content-type',
    'access-control-expose-headers': NEXT_PAGE,
    'access-control-max-age': '86400',
  });
}

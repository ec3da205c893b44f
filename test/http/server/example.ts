import { Body, Controller, Get, HttpCode, Module, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { DomainError } from '#libs/core';
import { Anonymous, Checked, JsonBody, SelfAuthenticated } from '#libs/server';

const Shape = z.object({ name: z.string(), count: z.number().int().optional() });

/** The open routes of this file, for `startApp`. */
export const EXAMPLE_ROUTES = [
  'POST /example/body',
  'GET /example/query',
  'GET /example/fail/:how',
  'GET /example/hang',
];

/** Everything that the tests of this folder make go wrong. */
@Controller()
export class ExampleController {
  /** Resolves when a handler saw its client go away. */
  readonly left = Promise.withResolvers<void>();
  /** Resolves when a slow request has reached its handler; `goOn` lets it answer. */
  readonly arrived = Promise.withResolvers<void>();
  readonly goOn = Promise.withResolvers<void>();

  @Post('example/body')
  @HttpCode(200)
  @SelfAuthenticated()
  take(@Body(new JsonBody(Shape, { limit: 1000 })) body: z.output<typeof Shape>): object {
    return { data: body };
  }

  @Get('example/query')
  @Anonymous()
  search(@Query(new Checked(z.object({ value: z.string().max(10) }))) query: { value: string }): object {
    return { data: query.value };
  }

  @Get('example/fail/:how')
  @Anonymous()
  async fail(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<object> {
    const { how } = request.params as { how: string };
    switch (how) {
      case 'bug':
        throw new Error('the password is hunter2');
      case 'thrown-text':
        // oxlint-disable-next-line typescript/only-throw-error -- that is what is tested
        throw 'hunter2';
      case 'known':
        throw new DomainError('conflict', 'Somebody was faster', { reason: 'too_late' });
      case 'unoffered':
        throw new DomainError('not_implemented', 'Not here');
      case 'full':
        throw Object.assign(new Error('write'), { code: 'ENOSPC' });
      case 'half':
        reply.raw.writeHead(200, { 'content-length': '100' });
        reply.raw.write('half');
        throw new Error('hunter2');
      case 'slow':
        this.arrived.resolve();
        await this.goOn.promise;
        return { data: 'late' };
      default:
        throw new DomainError('not_found', 'No such entity');
    }
  }

  @Get('example/hang')
  @Anonymous()
  async hang(@Req() request: FastifyRequest): Promise<object> {
    await new Promise<void>((resolve) => {
      request.raw.socket.once('close', resolve);
    });
    this.left.resolve();
    throw new Error('nobody to answer to');
  }
}

@Module({ controllers: [ExampleController] })
export class ExampleModule {}

import { Body, Controller, Get, Header, HttpCode, Post, Query, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import {
  type Actor,
  KEY_IMPORT_LIMITS,
  type KeyCheckAnswer,
  KeyCheckRequest,
  type KeyExportAnswer,
  KeyExportQuery,
  type KeyImportAnswer,
} from '#libs/contract';
import { Audited, Checked, CurrentActor, JsonBody, readBytes, Requires } from '#libs/server';
import { ImportService } from './import.service.js';
import { LIMITS } from './limits.js';
import { UpkeepStore } from './upkeep.store.js';

/** All certificates at once: check, export and import, for administrators. */
@Controller('v1/keys')
@Requires('admin')
export class UpkeepController {
  constructor(
    private readonly upkeep: UpkeepStore,
    private readonly imports: ImportService,
  ) {}

  @Post('check')
  @HttpCode(200)
  @Audited('key.repair')
  async check(
    @Body(new JsonBody(KeyCheckRequest, { limit: LIMITS.hiddenBytes })) { repair, cursor }: KeyCheckRequest,
  ): Promise<z.infer<typeof KeyCheckAnswer>> {
    const { next, ...data } = await this.upkeep.check(cursor, repair);
    return { data, ...(next === undefined ? {} : { page: { next } }) };
  }

  @Get('export')
  @Header('cache-control', 'no-store')
  async export(
    @Query(new Checked(KeyExportQuery)) { limit, cursor: from }: KeyExportQuery,
  ): Promise<z.infer<typeof KeyExportAnswer>> {
    const { certificates, cursor } = await this.upkeep.export(limit, from);
    return {
      data: certificates.map(({ fingerprint, armor }) => ({ fingerprint, armor })),
      ...(cursor === undefined ? {} : { page: { next: cursor } }),
    };
  }

  /** The body is binary: whole certificates, one after the other. */
  @Post('import')
  @HttpCode(200)
  @Audited('key.add')
  async import(
    @Req() request: FastifyRequest,
    @CurrentActor() actor: Actor,
  ): Promise<z.infer<typeof KeyImportAnswer>> {
    const body = await readBytes(request.raw, KEY_IMPORT_LIMITS.bytes);
    return { data: await this.imports.take(body, actor) };
  }
}

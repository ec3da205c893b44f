import { Controller, Get, Header, Query } from '@nestjs/common';
import type { z } from 'zod';
import { type AuditEntriesAnswer, AuditHeadsQuery, type AuditHeadsAnswer, AuditQuery } from '#libs/contract';
import { Requires } from '../auth/decorators.js';
import { Checked } from '../body/json-body.js';
import { AuditDesk } from './audit-desk.js';

/** The audit trails of the services of this process, for administrators. */
@Controller('v1/audit')
@Requires('admin')
export class AuditController {
  constructor(private readonly desk: AuditDesk) {}

  @Get()
  @Header('cache-control', 'no-store')
  async list(@Query(new Checked(AuditQuery)) query: AuditQuery): Promise<z.infer<typeof AuditEntriesAnswer>> {
    const { items, cursor } = await this.desk.list(query);
    return { data: [...items], ...(cursor === undefined ? {} : { page: { next: cursor } }) };
  }

  @Get('heads')
  @Header('cache-control', 'no-store')
  async heads(
    @Query(new Checked(AuditHeadsQuery)) query: AuditHeadsQuery,
  ): Promise<z.infer<typeof AuditHeadsAnswer>> {
    const { data, cursor } = await this.desk.heads(query);
    return { data, ...(cursor === undefined ? {} : { page: { next: cursor } }) };
  }
}

import { Body, Controller, Delete, Get, HttpCode, Param, Put, Query } from '@nestjs/common';
import type { z } from 'zod';
import { type Actor, ListQuery, type MemberAnswer, MemberRequest, type MembersAnswer } from '#libs/contract';
import { Audited, AcceptsPassword, Checked, CurrentActor, JsonBody, requireActor } from '#libs/server';
import { AUTH_LIMITS } from './limits.js';
import { MembersService } from './members.service.js';
import { OrganisationParam, UsernameParam } from './parameters.js';
import { presentMember } from './present.js';

/** The members of an organisation, and their roles. */
@Controller('v1/auth/organisations/:name/members')
@AcceptsPassword()
export class MembersController {
  constructor(private readonly members: MembersService) {}

  @Get()
  async list(
    @CurrentActor() actor: Actor | undefined,
    @Param('name', OrganisationParam) name: string,
    @Query(new Checked(ListQuery)) query: ListQuery,
  ): Promise<z.infer<typeof MembersAnswer>> {
    const { items, cursor } = await this.members.list(requireActor(actor), name, query);
    return { data: items.map(presentMember), ...(cursor === undefined ? {} : { page: { next: cursor } }) };
  }

  @Put(':username')
  @HttpCode(200)
  @Audited('member.set')
  async set(
    @CurrentActor() actor: Actor | undefined,
    @Param('name', OrganisationParam) name: string,
    @Param('username', UsernameParam) username: string,
    @Body(new JsonBody(MemberRequest, { limit: AUTH_LIMITS.body })) { role }: MemberRequest,
  ): Promise<z.infer<typeof MemberAnswer>> {
    return { data: presentMember(await this.members.set(requireActor(actor), name, username, role)) };
  }

  @Delete(':username')
  @HttpCode(200)
  @Audited('member.remove')
  async remove(
    @CurrentActor() actor: Actor | undefined,
    @Param('name', OrganisationParam) name: string,
    @Param('username', UsernameParam) username: string,
  ): Promise<z.infer<typeof MemberAnswer>> {
    return { data: presentMember(await this.members.remove(requireActor(actor), name, username)) };
  }
}

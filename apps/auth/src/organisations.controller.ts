import { Body, Controller, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import type { z } from 'zod';
import {
  type Actor,
  ChangeOrganisationRequest,
  CreateOrganisationRequest,
  ListQuery,
  type OrganisationAnswer,
  type OrganisationsAnswer,
} from '#libs/contract';
import {
  Audited,
  AcceptsPassword,
  Checked,
  CurrentActor,
  JsonBody,
  requireActor,
  Requires,
} from '#libs/server';
import { AUTH_LIMITS } from './limits.js';
import { OrganisationsService } from './organisations.service.js';
import { OrganisationParam } from './parameters.js';
import { presentOrganisation } from './present.js';

/** Organisations. Owners change theirs by password: no scope of a token allows it. */
@Controller('v1/auth/organisations')
@AcceptsPassword()
export class OrganisationsController {
  constructor(private readonly organisations: OrganisationsService) {}

  @Post()
  @HttpCode(200)
  @Requires('admin')
  @Audited('organisation.create')
  async create(
    @CurrentActor() actor: Actor | undefined,
    @Body(new JsonBody(CreateOrganisationRequest, { limit: AUTH_LIMITS.body }))
    request: CreateOrganisationRequest,
  ): Promise<z.infer<typeof OrganisationAnswer>> {
    const caller = requireActor(actor);
    return { data: presentOrganisation(await this.organisations.create(caller, request), caller) };
  }

  @Get()
  async list(
    @CurrentActor() current: Actor | undefined,
    @Query(new Checked(ListQuery)) query: ListQuery,
  ): Promise<z.infer<typeof OrganisationsAnswer>> {
    const actor = requireActor(current);
    const { items, cursor } = await this.organisations.list(actor, query);
    return {
      data: items.map((one) => presentOrganisation(one, actor)),
      ...(cursor === undefined ? {} : { page: { next: cursor } }),
    };
  }

  @Get(':name')
  async show(
    @CurrentActor() current: Actor | undefined,
    @Param('name', OrganisationParam) name: string,
  ): Promise<z.infer<typeof OrganisationAnswer>> {
    const actor = requireActor(current);
    return { data: presentOrganisation(await this.organisations.show(actor, name), actor) };
  }

  @Patch(':name')
  @HttpCode(200)
  @Audited('organisation.change')
  async change(
    @CurrentActor() current: Actor | undefined,
    @Param('name', OrganisationParam) name: string,
    @Body(new JsonBody(ChangeOrganisationRequest, { limit: AUTH_LIMITS.body }))
    request: ChangeOrganisationRequest,
  ): Promise<z.infer<typeof OrganisationAnswer>> {
    const actor = requireActor(current);
    return { data: presentOrganisation(await this.organisations.change(actor, name, request), actor) };
  }
}

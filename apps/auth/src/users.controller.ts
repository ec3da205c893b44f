import { Body, Controller, Get, HttpCode, Param, Patch, Post, Put, Query } from '@nestjs/common';
import type { z } from 'zod';
import {
  type Actor,
  ChangePasswordRequest,
  ChangeUserRequest,
  CreateUserRequest,
  ListQuery,
  type UserAnswer,
  type UserDetailsAnswer,
  type UsersAnswer,
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
import { AccountsService } from './accounts.service.js';
import { AUTH_LIMITS } from './limits.js';
import { UsernameParam } from './parameters.js';
import { presentUser } from './present.js';

/** Accounts of people: for administrators; everybody sees the own one, and changes it with the password. */
@Controller('v1/auth/users')
export class UsersController {
  constructor(private readonly accounts: AccountsService) {}

  @Post()
  @HttpCode(200)
  @Requires('admin')
  @Audited('account.create')
  async create(
    @CurrentActor() actor: Actor | undefined,
    @Body(new JsonBody(CreateUserRequest, { limit: AUTH_LIMITS.body })) request: CreateUserRequest,
  ): Promise<z.infer<typeof UserAnswer>> {
    return { data: presentUser(await this.accounts.create(requireActor(actor), request)) };
  }

  @Get()
  @Requires('admin')
  async list(@Query(new Checked(ListQuery)) query: ListQuery): Promise<z.infer<typeof UsersAnswer>> {
    const { items, cursor } = await this.accounts.list(query);
    return { data: items.map(presentUser), ...(cursor === undefined ? {} : { page: { next: cursor } }) };
  }

  @Get(':username')
  @AcceptsPassword()
  async show(
    @CurrentActor() actor: Actor | undefined,
    @Param('username', UsernameParam) username: string,
  ): Promise<z.infer<typeof UserDetailsAnswer>> {
    const { account, roles } = await this.accounts.show(requireActor(actor), username);
    return { data: { ...presentUser(account), organisations: { ...roles } } };
  }

  @Patch(':username')
  @HttpCode(200)
  @AcceptsPassword()
  @Audited('account.change')
  async change(
    @CurrentActor() actor: Actor | undefined,
    @Param('username', UsernameParam) username: string,
    @Body(new JsonBody(ChangeUserRequest, { limit: AUTH_LIMITS.body })) request: ChangeUserRequest,
  ): Promise<z.infer<typeof UserAnswer>> {
    return { data: presentUser(await this.accounts.change(requireActor(actor), username, request)) };
  }

  @Put(':username/password')
  @HttpCode(200)
  @AcceptsPassword()
  @Audited('password.change')
  async changePassword(
    @CurrentActor() actor: Actor | undefined,
    @Param('username', UsernameParam) username: string,
    @Body(new JsonBody(ChangePasswordRequest, { limit: AUTH_LIMITS.body })) request: ChangePasswordRequest,
  ): Promise<z.infer<typeof UserAnswer>> {
    return { data: presentUser(await this.accounts.changePassword(requireActor(actor), username, request)) };
  }
}

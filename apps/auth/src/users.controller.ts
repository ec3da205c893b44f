import { Body, Controller, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import type { z } from 'zod';
import {
  type Actor,
  ChangeUserRequest,
  CreateUserRequest,
  ListQuery,
  type UserAnswer,
  Username,
  type UsersAnswer,
} from '#libs/contract';
import { Checked, CurrentActor, JsonBody, requireActor, Requires } from '#libs/server';
import { AccountsService } from './accounts.service.js';
import { AUTH_LIMITS } from './limits.js';
import { enforce, mayDisable, maySeeUser } from './policy.js';
import { presentUser } from './present.js';
import { RevocationsService } from './revocations.service.js';

const UsernameParam = new Checked(Username, 'the user name');

/** Accounts, for administrators; everybody may see the own one. */
@Controller('v1/auth/users')
export class UsersController {
  constructor(
    private readonly accounts: AccountsService,
    private readonly revocations: RevocationsService,
  ) {}

  @Post()
  @HttpCode(200)
  @Requires('admin')
  async create(
    @Body(new JsonBody(CreateUserRequest, { limit: AUTH_LIMITS.body })) request: CreateUserRequest,
  ): Promise<z.infer<typeof UserAnswer>> {
    return { data: presentUser(await this.accounts.create(request)) };
  }

  @Get()
  @Requires('admin')
  async list(@Query(new Checked(ListQuery)) query: ListQuery): Promise<z.infer<typeof UsersAnswer>> {
    const { items, cursor } = await this.accounts.list(query);
    return { data: items.map(presentUser), ...(cursor === undefined ? {} : { page: { next: cursor } }) };
  }

  @Get(':username')
  async get(
    @CurrentActor() actor: Actor | undefined,
    @Param('username', UsernameParam) username: string,
  ): Promise<z.infer<typeof UserAnswer>> {
    enforce(maySeeUser(requireActor(actor), username));
    return { data: presentUser(await this.accounts.byName(username)) };
  }

  @Patch(':username')
  @HttpCode(200)
  @Requires('admin')
  async change(
    @CurrentActor() actor: Actor | undefined,
    @Param('username', UsernameParam) username: string,
    @Body(new JsonBody(ChangeUserRequest, { limit: AUTH_LIMITS.body })) request: ChangeUserRequest,
  ): Promise<z.infer<typeof UserAnswer>> {
    const { id } = await this.accounts.byName(username);
    enforce(mayDisable(requireActor(actor), id));
    return { data: presentUser(await this.revocations.setDisabled(id, request.disabled)) };
  }
}

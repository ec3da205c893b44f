import { Body, Controller, Get, HttpCode, Param, Patch } from '@nestjs/common';
import { type AccountUsage, type Actor, ChangeAccountRequest, MANAGE_PATH } from '#libs/contract';
import { Audited, CurrentActor, JsonBody, Requires } from '#libs/server';
import { pathOf } from './paths.js';
import { AccountsService } from './accounts.service.js';

/** What accounts hold over all entities: for themselves and for administrators, who give quota. */
@Controller(MANAGE_PATH)
export class AccountsController {
  constructor(private readonly accounts: AccountsService) {}

  @Get('accounts/:account')
  async show(@Param('account') account: string, @CurrentActor() actor: Actor): Promise<AccountUsage> {
    return { data: await this.accounts.show(pathOf({ entity: account }), actor) };
  }

  @Patch('accounts/:account')
  @HttpCode(200)
  @Requires('admin')
  @Audited('quota.change')
  async change(
    @Param('account') account: string,
    @Body(new JsonBody(ChangeAccountRequest)) request: ChangeAccountRequest,
    @CurrentActor() actor: Actor,
  ): Promise<AccountUsage> {
    return { data: await this.accounts.change(pathOf({ entity: account }), request, actor) };
  }
}

import { Inject, Injectable } from '@nestjs/common';
import { Trail } from '#libs/audit';
import type { Actor, AccountUsage, ChangeAccountRequest } from '#libs/contract';
import { DomainError } from '#libs/core';
import { commitPlan, DATABASE, type Database } from '../database.store.js';
import { accountChanged } from '../events.js';
import { isAdministrator } from '../policy.js';
import { AccountsStore } from '../storage/accounts.store.js';
import { UsageService } from '../storage/usage.service.js';

/** What accounts may hold and hold. The library knows them by their names, as it does with what belongs to them. */
@Injectable()
export class AccountsService {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    private readonly accounts: AccountsStore,
    private readonly usage: UsageService,
    private readonly trail: Trail,
  ) {}

  /** @throws DomainError `not_found` for all but the account itself and administrators, whether there is such an account or not */
  async show(name: string, actor: Actor): Promise<AccountUsage['data']> {
    if (name !== actor.username && !isAdministrator(actor))
      throw new DomainError('not_found', `There is no account ${name}`, { reason: 'account_not_found' });
    const { quota: ownQuota = null, size = 0, held = 0 } = (await this.accounts.get(name))?.value ?? {};
    const quota = this.usage.quotaOf(ownQuota === null ? undefined : { quota: ownQuota });
    return { account: name, quota, ownQuota, used: size, reserved: held - size };
  }

  /** Gives an account a quota of its own, or that of all accounts. What it holds above it stays. */
  async change(name: string, { quota }: ChangeAccountRequest, actor: Actor): Promise<AccountUsage['data']> {
    if (quota !== undefined)
      await commitPlan(this.database, async () => {
        const account = await this.accounts.get(name);
        const { quota: _, ...rest } = account?.value ?? { name, size: 0, held: 0 };
        const value = { ...rest, ...(quota === null ? {} : { quota }) };
        return {
          writes: [
            account === undefined ? this.accounts.creation(value) : this.accounts.replacement(account, value),
            this.trail.write(accountChanged(name, account?.value.quota, quota, actor)),
          ],
          result: undefined,
        };
      });
    return this.show(name, actor);
  }
}

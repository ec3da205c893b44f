import { Injectable } from '@nestjs/common';
import { AccountsStore, type StoredAccount } from './accounts.store.js';
import { AUTH_LIMITS } from './limits.js';
import { MembershipsStore } from './memberships.store.js';
import { OrganisationsStore } from './organisations.store.js';
import { type Change, RevocationsStore } from './revocations.store.js';
import { StatesService } from './states.service.js';

interface Page {
  readonly ids: readonly string[];
  readonly cursor: string | undefined;
}

/**
 * Tells the states of all members and robots of an organisation that was disabled or enabled. They can be more than one commit
 * holds: the organisation is marked until it is done, so that a start finishes what a crash interrupted. Who joins meanwhile
 * compares the organisation's revision and so already knows its new state.
 */
@Injectable()
export class SpreadService {
  constructor(
    private readonly organisations: OrganisationsStore,
    private readonly memberships: MembershipsStore,
    private readonly accounts: AccountsStore,
    private readonly commits: RevocationsStore,
    private readonly states: StatesService,
  ) {}

  /** Finishes what a crash interrupted. */
  async finish(): Promise<void> {
    let unfinished: readonly { readonly id: string }[];
    do {
      unfinished = await this.organisations.spreading(AUTH_LIMITS.spreadBatch);
      for (const { id } of unfinished) await this.spread(id);
    } while (unfinished.length > 0);
  }

  /** Tells everybody's state, then takes the mark away, unless the organisation was switched again meanwhile. */
  async spread(organisationId: string): Promise<void> {
    const since = (await this.organisations.get(organisationId))?.value.spreadingSince;
    if (since === undefined) return;
    await this.tellAll((cursor) => this.members(organisationId, cursor));
    await this.tellAll((cursor) => this.robots(organisationId, cursor));
    await this.states.commit(async () => {
      const organisation = await this.organisations.get(organisationId);
      if (organisation?.value.spreadingSince !== since) return undefined;
      const { spreadingSince: _done, ...value } = organisation.value;
      return { announcements: [], writes: [this.organisations.change(organisation, value)] };
    });
  }

  private async tellAll(pageAfter: (cursor: string | undefined) => Promise<Page>): Promise<void> {
    let cursor: string | undefined;
    do {
      const page = await pageAfter(cursor);
      if (page.ids.length > 0) await this.commits.commit((next) => this.telling(page.ids, next));
      ({ cursor } = page);
    } while (cursor !== undefined);
  }

  private async telling(ids: readonly string[], next: number): Promise<Change> {
    const accounts: readonly StoredAccount[] = await this.accounts.getMany(ids);
    const changes = await Promise.all(
      accounts.map((account, index) => this.states.changing({ account, tell: true }, next + index)),
    );
    return {
      writes: changes.flatMap(({ writes }) => writes),
      announcements: changes.flatMap(({ announcements }) => announcements),
    };
  }

  private async members(organisationId: string, cursor: string | undefined): Promise<Page> {
    const page = await this.memberships.members(organisationId, { limit: AUTH_LIMITS.spreadBatch, cursor });
    return { ids: page.items.map(({ value }) => value.accountId), cursor: page.cursor };
  }

  private async robots(organisationId: string, cursor: string | undefined): Promise<Page> {
    const page = await this.accounts.robots(organisationId, { limit: AUTH_LIMITS.spreadBatch, cursor });
    return { ids: page.items.map(({ id }) => id), cursor: page.cursor };
  }
}

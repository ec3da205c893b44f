import { DomainError } from '#libs/core';
import type { Write } from '#libs/documents';
import { Look } from './look.js';
import type { CheckParts, Difference, Shown, Suspect, Walk, Walked } from './room.store.js';
import { all, byId } from './tables.store.js';

/** Behind the holdings that are done, and what those of the last account add up to so far. */
interface Place {
  readonly cursor: string | null;
  readonly account: { readonly name: string; readonly size: number } | null;
}
const PAGE = 500;

/**
 * What accounts are said to hold, against the contents that they brought and their uploads under way. Holdings come in the order of
 * their accounts; what was added up so far is part of the cursor.
 */
export class AccountsCheck {
  readonly #parts: CheckParts;

  constructor(parts: CheckParts) {
    this.#parts = parts;
  }

  get walks(): readonly Walk[] {
    return [
      { name: 'accountUsage', part: (from) => this.#usage(from) },
      { name: 'accounts', part: (from) => this.#accounts(from) },
    ];
  }

  async #usage(from: string | undefined): Promise<Walked> {
    const { tables, limits } = this.#parts;
    const suspects: Suspect[] = [];
    let place: Place = from === undefined ? { cursor: null, account: null } : readPlace(from);
    for (let looked = 0; looked < limits.checkedImages; looked += PAGE) {
      const { items, cursor } = await tables.holdings.scan('byAccount', {
        limit: PAGE,
        ...(place.cursor === null ? {} : { cursor: place.cursor }),
      });
      let { account } = place;
      for (const { value } of items) {
        if (value.account === undefined) continue;
        if (account !== null && account.name !== value.account)
          suspects.push(...(await this.#closed(account)));
        const before = account?.name === value.account ? account.size : 0;
        account = { name: value.account, size: before + value.size };
      }
      if (cursor === undefined) {
        if (account !== null) suspects.push(...(await this.#closed(account)));
        return { suspects, next: undefined };
      }
      place = { cursor, account };
    }
    return { suspects, next: JSON.stringify(place) };
  }

  async #closed({ name, size }: { readonly name: string; readonly size: number }): Promise<Suspect[]> {
    const found = await this.#parts.tables.accounts.get(name);
    return found?.value.size === size ? [] : [this.#suspect(name)];
  }

  /** What uploads have reserved; and accounts that have brought nothing that is still there. */
  async #accounts(from: string | undefined): Promise<Walked> {
    const { tables, limits } = this.#parts;
    const options = { limit: limits.checkedPart, ...(from === undefined ? {} : { cursor: from }) };
    const { items, cursor } = await tables.accounts.scan('byName', options);
    const reserved = await this.#reserved();
    // Uploads of accounts that are not known at all are seen from behind the last one.
    const unknown = cursor === undefined ? await this.#unknown([...reserved.keys()]) : [];
    const suspects = unknown.map((name) => this.#suspect(name));
    for (const { value } of items) {
      const isWrong = value.held - value.size !== (reserved.get(value.name) ?? 0);
      const { items: own } = await tables.holdings.scan('byAccount', { equal: [value.name], limit: 1 });
      if (isWrong || (own.length === 0 && value.size !== 0))
        suspects.push(this.#onlyHere(value.name, own.length > 0));
    }
    return { suspects, next: cursor };
  }

  async #unknown(names: readonly string[]): Promise<string[]> {
    const known = await byId(this.#parts.tables.accounts, names);
    return names.filter((name) => !known.has(name));
  }

  /** Where the size was seen to be wrong by adding up, it is not said again. */
  #onlyHere(name: string, isCounted: boolean): Suspect {
    if (!isCounted) return this.#suspect(name);
    return {
      name,
      look: async (look) => {
        const { differences } = await this.#look(name, look);
        const isSaid = differences.some(({ problem }) => problem.kind === 'account_size');
        return { differences: isSaid ? [] : differences };
      },
    };
  }

  #suspect(name: string): Suspect {
    return { name, look: (look) => this.#look(name, look) };
  }

  async #look(name: string, look: Look): Promise<Shown> {
    const { tables } = this.#parts;
    const account = await tables.accounts.get(name);
    look.sawDocument(account);
    let size = 0;
    for await (const holding of all(tables.holdings, 'byAccount', [name])) {
      look.sawDocument(holding);
      size += holding.value.size;
    }
    const held = size + ((await this.#reserved(look)).get(name) ?? 0);
    const before = account?.value ?? { name, size: 0, held: 0 };
    const value = { ...before, size, held };
    const mend: Write[] = [
      account === undefined
        ? tables.accounts.write.insert(name, value)
        : tables.accounts.write.replace(name, account.revision, value),
    ];
    const pairs = [
      ['account_size', before.size, size],
      ['account_held', before.held, held],
    ] as const;
    const differences = pairs
      .filter(([, recorded, counted]) => recorded !== counted)
      .map(([kind, recorded, counted], index): Difference => ({
        problem: { kind, name, recorded, counted },
        subject: 'account',
        mend: index === 0 ? mend : [],
      }));
    return { differences };
  }

  /** Bytes that uploads under way have reserved, by account. */
  async #reserved(look = new Look()): Promise<Map<string, number>> {
    const reserved = new Map<string, number>();
    for (const upload of await this.#parts.tables.claimingUploads()) {
      look.sawDocument(upload);
      const { username, accountReserved = 0 } = upload.value;
      if (accountReserved > 0) reserved.set(username, (reserved.get(username) ?? 0) + accountReserved);
    }
    return reserved;
  }
}

/** It has been in the hands of a client: what is added up wrongly by it is added up again before anything is said. */
function readPlace(text: string): Place {
  try {
    const { cursor, account } = JSON.parse(text) as Place;
    const isSum =
      account === null || (typeof account.name === 'string' && Number.isSafeInteger(account.size));
    if (isSum && (cursor === null || typeof cursor === 'string')) return { cursor, account };
  } catch {
    // Said below, as for everything that is none.
  }
  throw new DomainError('bad_request', 'Expected a cursor that a check has given', { reason: 'bad_cursor' });
}

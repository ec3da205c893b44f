import type { Look } from './look.js';
import type { CheckParts, Shown, Suspect, Walk, Walked } from './room.store.js';
import { byId } from './tables.store.js';

/** Stars, against the containers that they are of. How many a container has is counted with what else it counts. */
export class StarsCheck {
  readonly #parts: CheckParts;

  constructor(parts: CheckParts) {
    this.#parts = parts;
  }

  get walks(): readonly Walk[] {
    return [{ name: 'stars', part: (from) => this.#stars(from) }];
  }

  async #stars(from: string | undefined): Promise<Walked> {
    const { tables, limits } = this.#parts;
    const options = { limit: limits.checkedPart, ...(from === undefined ? {} : { cursor: from }) };
    const { items, cursor } = await tables.stars.scan('byContainer', options);
    const containers = await byId(
      tables.containers,
      items.map(({ value }) => value.container),
    );
    const suspects = items
      .filter(({ value }) => !containers.has(value.container))
      .map(({ id }): Suspect => ({ name: id, look: (look) => this.#look(id, look) }));
    return { suspects, next: cursor };
  }

  async #look(id: string, look: Look): Promise<Shown> {
    const { tables } = this.#parts;
    const star = await tables.stars.get(id);
    look.sawDocument(star);
    if (star === undefined) return { differences: [] };
    const container = await tables.containers.get(star.value.container);
    look.saw(container?.id);
    if (container !== undefined) return { differences: [] };
    const problem = { kind: 'star_stray', name: id, what: star.value.container } as const;
    return {
      differences: [{ problem, subject: 'container', mend: [tables.stars.write.delete(id, star.revision)] }],
    };
  }
}

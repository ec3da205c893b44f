import { z } from 'zod';
import type { Collection, Documents } from '../port.js';

const entrySchema = z.object({ sequence: z.number().int(), from: z.string() });
const headSchema = z.object({ head: z.number().int() });

/** A feed as services write it: the number of an entry is taken in the commit that makes the entry. */
export class Feed {
  readonly #documents: Documents;
  readonly #entries: Collection<z.infer<typeof entrySchema>, 'bySequence'>;
  readonly #heads: Collection<z.infer<typeof headSchema>>;

  constructor(documents: Documents, name = 'feed') {
    this.#documents = documents;
    this.#entries = documents.collection({
      name: `${name}-entries`,
      schema: entrySchema,
      indexes: { bySequence: { fields: ['sequence'], unique: true } },
    });
    this.#heads = documents.collection({ name: `${name}-heads`, schema: headSchema, indexes: {} });
  }

  /** Adds one entry, however many others do; gives its number. */
  async append(from: string): Promise<number> {
    for (;;) {
      const head = await this.#heads.get('head');
      const sequence = (head?.value.head ?? 0) + 1;
      const result = await this.#documents.commit([
        head === undefined
          ? this.#heads.write.insert('head', { head: sequence })
          : this.#heads.write.replace('head', head.revision, { head: sequence }),
        this.#entries.write.insert(String(sequence).padStart(12, '0'), { sequence, from }),
      ]);
      if (result.ok) return sequence;
    }
  }

  /** The numbers of the entries after one, in order. */
  async after(sequence: number): Promise<number[]> {
    const { items } = await this.#entries.scan('bySequence', { from: sequence + 1, limit: 1000 });
    return items.map(({ value }) => value.sequence);
  }

  async head(): Promise<number> {
    return (await this.#heads.get('head'))?.value.head ?? 0;
  }
}

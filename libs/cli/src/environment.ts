/**
 * The environment as commands see it. Commands read nothing from `process.env` themselves, so that tests can call
 * them in-process and so that every variable has one spelling rule (runtime contract §1.3).
 */
export class Environment {
  readonly #values: Readonly<Record<string, string | undefined>>;
  readonly #prefixes: readonly string[];

  constructor(values: Readonly<Record<string, string | undefined>>, prefixes: readonly string[]) {
    this.#values = values;
    this.#prefixes = prefixes;
  }

  /** A variable by its exact name. "An empty value is ignored" (§1.3). */
  get(name: string): string | undefined {
    const value = this.#values[name];
    return value === '' ? undefined : value;
  }

  /** A variable by its key behind the prefixes, `SING_` before `SINGULARITY_` before `APPTAINER_` (§1.3). */
  setting(...keys: readonly string[]): { readonly name: string; readonly value: string } | undefined {
    for (const prefix of this.#prefixes) {
      for (const key of keys) {
        const name = `${prefix}_${key}`;
        const value = this.get(name);
        if (value !== undefined) return { name, value };
      }
    }
    return undefined;
  }

  /** All variables, for a program that is started. */
  all(): Record<string, string> {
    return Object.fromEntries(
      Object.entries(this.#values).filter((entry): entry is [string, string] => entry[1] !== undefined),
    );
  }
}

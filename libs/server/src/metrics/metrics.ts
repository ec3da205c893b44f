import type { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { ScsConfig } from '#libs/config';
import { Reading, type Sample } from './reading.js';

/** Labels, each with every value that it can have: nothing that a request says becomes one, and nothing grows. */
export type LabelValues = Readonly<Record<string, readonly string[]>>;
/** One value for each label. */
export type LabelsOf<L extends LabelValues> = { readonly [Name in keyof L & string]: L[Name][number] };

interface Named {
  /** Begins with `scs_`; ends with its unit, and counters with `_total`. */
  readonly name: string;
  /** What it is, in a line. */
  readonly help: string;
}

type Prometheus = Pick<
  typeof import('prom-client'),
  'Counter' | 'Gauge' | 'Histogram' | 'Registry' | 'collectDefaultMetrics'
>;

/**
 * The numbers of this process, for Prometheus (ADR 19). Where they are off (no SCS_METRICS_PORT) nothing is loaded, and to count is
 * to call an empty function.
 */
export class Metrics {
  readonly #on: { readonly prometheus: Prometheus; readonly registry: Registry } | undefined;
  #rendering: Promise<string> | undefined;

  private constructor(prometheus?: Prometheus) {
    if (prometheus === undefined) return;
    const registry = new prometheus.Registry();
    prometheus.collectDefaultMetrics({ register: registry });
    this.#on = { prometheus, registry };
  }

  /** For code that has nobody to count for. */
  static off(): Metrics {
    return new Metrics();
  }

  static async open({ metrics }: Pick<ScsConfig, 'metrics'>): Promise<Metrics> {
    return new Metrics(metrics === undefined ? undefined : await import('prom-client'));
  }

  get on(): boolean {
    return this.#on !== undefined;
  }

  /** What only grows. Every combination of labels is there from the start, with 0. @returns counts one, or so many */
  counter<const L extends LabelValues>({
    labels,
    ...named
  }: Named & { readonly labels: L }): (labels: LabelsOf<L>, by?: number) => void {
    if (this.#on === undefined) return () => undefined;
    const { prometheus, registry } = this.#on;
    const made: Counter = new prometheus.Counter({
      ...named,
      labelNames: Object.keys(labels),
      registers: [registry],
    });
    for (const one of combinations(labels)) made.inc(one, 0);
    return (values, by = 1) => made.inc(values, by);
  }

  /** How long something took. @param buckets upper ends, in seconds @returns notes one, in seconds */
  times(named: Named & { readonly buckets: readonly number[] }): (seconds: number) => void {
    if (this.#on === undefined) return () => undefined;
    const { prometheus, registry } = this.#on;
    const made: Histogram = new prometheus.Histogram({
      ...named,
      buckets: [...named.buckets],
      registers: [registry],
    });
    return (seconds) => made.observe(Math.max(0, seconds));
  }

  /**
   * What is looked up when somebody asks. A look that fails or takes longer than METRICS.readTime says nothing, and holds nothing up.
   * @param labels their names; values are names of ours
   * @param every seconds for which an answer is good, for what asks a database
   */
  gauge(
    {
      labels = [],
      every = 0,
      ...named
    }: Named & { readonly labels?: readonly string[]; readonly every?: number },
    read: () => Promise<readonly Sample[]> | readonly Sample[],
  ): void {
    if (this.#on === undefined) return;
    const { prometheus, registry } = this.#on;
    const reading = new Reading(read, every);
    const made: Gauge = new prometheus.Gauge({
      ...named,
      labelNames: [...labels],
      registers: [registry],
      collect: async () => {
        const samples = await reading.get();
        made.reset();
        // What is not known is not said: without labels it would be 0.
        if (labels.length === 0) made.remove();
        for (const { value, labels: values = {} } of samples) made.set(values, value);
      },
    });
  }

  /** The parts that {@link countRequests} needs, with labels that it bounds itself. Undefined: off. */
  get parts(): { readonly prometheus: Prometheus; readonly registry: Registry } | undefined {
    return this.#on;
  }

  /** All numbers as Prometheus reads them. Who asks while somebody else waits gets the same answer. */
  render(): Promise<string> {
    this.#rendering ??= (this.#on?.registry.metrics() ?? Promise.resolve('')).finally(() => {
      this.#rendering = undefined;
    });
    return this.#rendering;
  }
}

function combinations(labels: LabelValues): Record<string, string>[] {
  return Object.entries(labels).reduce<Record<string, string>[]>(
    (all, [name, values]) => all.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))),
    [{}],
  );
}

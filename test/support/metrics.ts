import { readFileSync } from 'node:fs';
import { request } from 'undici';
import { ANY_PORT, type StartedApp } from './app.js';
import type { TestDatabase } from './databases.js';

/** Settings that switch the metrics on, on a free port. */
export const METRICS_ON: Readonly<Record<string, string>> = { SCS_METRICS_PORT: ANY_PORT };

/** The port of the metrics of an app that has them. */
export const metricsPort = ({ config }: StartedApp): number => config.metrics?.port ?? 0;

/** Asks the port of the metrics of an app. */
export async function askMetrics(
  app: StartedApp,
  path = '/metrics',
  method = 'GET',
): Promise<{ status: number; headers: Record<string, unknown>; text: string }> {
  const answer = await request(`https://localhost:${metricsPort(app)}${path}`, {
    method,
    dispatcher: app.dispatcher,
  });
  return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
}

/** The numbers of an app at one moment. */
export class Numbers {
  readonly #values = new Map<string, number>();

  static async of(app: StartedApp): Promise<Numbers> {
    const { status, text } = await askMetrics(app);
    if (status !== 200) throw new Error(`Expected metrics, got ${status}: ${text}`);
    return new Numbers(text);
  }

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const [, series, value] = /^([^#\s][^\s{]*(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
      if (series !== undefined) this.#values.set(ordered(series), Number(value));
    }
  }

  /** Every series as it is written, with its labels in order: `scs_x{a="b",c="d"}`. */
  get series(): string[] {
    return [...this.#values.keys()];
  }

  /** @param series as it is written. Undefined: it is not there */
  get(series: string): number | undefined {
    return this.#values.get(ordered(series));
  }

  /** The sum of all series of a name whose labels contain all of these. */
  sum(name: string, ...labels: string[]): number {
    return this.series
      .filter((one) => one.startsWith(`${name}{`) && labels.every((label) => one.includes(label)))
      .reduce((sum, one) => sum + (this.get(one) ?? 0), 0);
  }

  /** Every label as `name="value"`. */
  get labels(): Set<string> {
    return new Set(this.series.flatMap(labelsOf));
  }
}

const labelsOf = (series: string): string[] => series.match(/\w+="(?:[^"\\]|\\.)*"/g) ?? [];

function ordered(series: string): string {
  const [name = ''] = series.split('{', 1);
  const labels = labelsOf(series).toSorted();
  return labels.length === 0 ? name : `${name}{${labels.join(',')}}`;
}

/** A database of an app whose metrics are on. */
export async function withMetrics(open: () => Promise<TestDatabase>): Promise<TestDatabase> {
  const database = await open();
  return { env: { ...database.env, ...METRICS_ON }, stop: () => database.stop() };
}

/** Names of ours that the guide for operators does not say. */
export function undocumented(text: string): string[] {
  const guide = readFileSync(new URL('../../docs/guide/operate.md', import.meta.url), 'utf8');
  const names = [...text.matchAll(/^# TYPE (scs_\w+) /gm)].map(([, name = '']) => name);
  if (names.length === 0) throw new Error('Expected metrics of ours, got none');
  return names.filter(
    (name) => !guide.includes(`\`${name}\``) && !/^scs_\w+_audit_entries_total$/.test(name),
  );
}

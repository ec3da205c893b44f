import { collectFacts } from '../collectFacts.js';
import { builtInConfiguration } from '../configuration/configuration.js';
import type { Configuration } from '../configuration/configuration.js';
import type { Facts } from '../facts.js';
import { planLaunch } from '../launch/planLaunch.js';
import type { PlannedLaunch } from '../launch/planLaunch.js';
import { environmentMap } from '../options/environmentFlags.js';
import { plainOptions } from '../options/launchOptions.js';
import type { LaunchOptions } from '../options/launchOptions.js';
import type { Bind, LaunchPlan, Step, StepKind } from '../plan.js';
import { baseHost, hostOf } from './fakeHost.js';
import type { FakeHost } from './fakeHost.js';

export interface Change {
  readonly options?: Partial<LaunchOptions>;
  readonly host?: Partial<FakeHost>;
  readonly facts?: Partial<Facts>;
  readonly configuration?: Partial<Configuration>;
}

export const base = baseHost();
export const identity = (change: Partial<FakeHost['identity']>): Partial<FakeHost> => ({
  identity: { ...base.identity, ...change },
});
export const root = identity({ uid: 0, gid: 0, effectiveUid: 0, effectiveGid: 0, systemAdmin: true });
export const files = (more: FakeHost['files']): Partial<FakeHost> => ({ files: { ...base.files, ...more } });

/** A launch of /img by alice, with one thing changed. */
export function launch(change: Change = {}): PlannedLaunch {
  const options = { ...plainOptions('/img', ['true']), ...change.options };
  const host = hostOf({ ...base, ...change.host });
  const facts = collectFacts(host, options, environmentMap(host.environment()));
  const configuration = { ...builtInConfiguration(), ...change.configuration };
  return planLaunch(options, { ...facts, configuration, ...change.facts });
}

export const planOf = (change?: Change): LaunchPlan => launch(change).plan;
export const kinds = (plan: LaunchPlan): readonly StepKind[] => plan.steps.map((step) => step.kind);
export const targets = (plan: LaunchPlan): readonly string[] =>
  plan.steps.flatMap((step) =>
    'target' in step && typeof step.target === 'object' ? [step.target.path] : [],
  );
export const mountAt = (plan: LaunchPlan, path: string): Step | undefined =>
  plan.steps.findLast(
    (step) => 'target' in step && typeof step.target === 'object' && step.target.path === path,
  );
export function bindAt(plan: LaunchPlan, path: string): Bind {
  const step = mountAt(plan, path);
  if (step?.kind !== 'bind') throw new Error(`no bind at ${path}`);
  return step;
}
export const warnings = (planned: PlannedLaunch): readonly string[] =>
  planned.messages.filter(({ level }) => level === 'WARNING').map(({ text }) => text);

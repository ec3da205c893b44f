import { defineConfig } from 'vitest/config';

const conditions = ['source', 'node', 'import', 'default'];

/** What has its tests beside it. */
const sources = '{libs,apps,addon,scripts}';
const isolated = `${sources}/**/*.isolated.spec.ts`;

interface Project {
  readonly name: string;
  readonly include: string;
  /** A bound that keeps a test from hanging, and says nothing of speed: others may be at work on the machine. */
  readonly seconds: number;
  readonly exclude?: string;
  readonly isolate?: boolean;
}

const project = ({ name, include, seconds, exclude, isolate = true }: Project) => ({
  extends: true as const,
  test: {
    name,
    include: [include],
    exclude: exclude === undefined ? [] : [exclude],
    isolate,
    testTimeout: seconds * 1000,
    hookTimeout: seconds * 2000,
  },
});

/**
 * One project per kind of test. `unit` needs nothing but Node and runs in `npm run check`, many files in one process, because what such
 * a file costs is mostly the process and its modules; those that put other modules in the place of ours are `isolated`.
 * `http` starts one app on port 0; `integration` starts the real embedded parts; `e2e` uses what `scripts/up` builds.
 */
const projects = [
  project({
    name: 'unit',
    include: `${sources}/**/*.spec.ts`,
    exclude: isolated,
    seconds: 60,
    isolate: false,
  }),
  project({ name: 'isolated', include: isolated, seconds: 60 }),
  project({ name: 'http', include: 'test/http/**/*.spec.ts', seconds: 30 }),
  project({ name: 'integration', include: 'test/integration/**/*.spec.ts', seconds: 60 }),
  project({ name: 'native', include: 'test/native/**/*.spec.ts', seconds: 60 }),
  project({ name: 'e2e', include: 'test/e2e/**/*.spec.ts', seconds: 180 }),
];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    pool: 'forks',
    // Most of the time of most tests is waiting for processes and disks: three keep two cores busy. The default on two cores is one.
    maxWorkers: 3,
    // A bound that keeps a test from hanging, and says nothing of speed: the default of a second is none on a busy machine.
    expect: { poll: { timeout: 10_000 } },
    setupFiles: ['test/support/setup.ts'],
    reporters: ['default', './test/support/closing-line.reporter.ts'],
    projects,
  },
});

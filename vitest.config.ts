import { defineConfig } from 'vitest/config';

const conditions = ['source', 'node', 'import', 'default'];

/**
 * One project per kind of test. `unit` needs nothing but Node and runs in `npm run check`;
 * `http` starts one app on port 0; `integration` starts the real embedded parts; `e2e` uses what `scripts/up` builds.
 */
const project = (name: string, include: string[], testTimeout: number) => ({
  extends: true as const,
  test: { name, include, testTimeout, hookTimeout: testTimeout * 2 },
});

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
    projects: [
      project(
        'unit',
        ['libs/**/*.spec.ts', 'apps/**/*.spec.ts', 'addon/**/*.spec.ts', 'scripts/**/*.spec.ts'],
        20_000,
      ),
      project('http', ['test/http/**/*.spec.ts'], 30_000),
      project('integration', ['test/integration/**/*.spec.ts'], 60_000),
      project('native', ['test/native/**/*.spec.ts'], 60_000),
      project('e2e', ['test/e2e/**/*.spec.ts'], 180_000),
    ],
  },
});

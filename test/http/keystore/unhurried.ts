import { InTime } from '#apps/keystore/src/in-time';
import { vi } from 'vitest';
import type { StartedApp } from '../../support/app.js';

/**
 * A keystore that answers, however long that takes. How long clients wait is asked elsewhere (options.spec.ts): of many at once the last
 * one may wait longer for the stand-in for MongoDB.
 */
export function unhurried(app: StartedApp): StartedApp {
  vi.spyOn(app.get(InTime), 'answer').mockImplementation((work) => work());
  return app;
}

/** Limits of what a build reads from a definition, a context or a root file system that a `%post` has touched. */
export const LIMITS = {
  /** `$SINGULARITY_LABELS`, `labels.json`, each script below `/.singularity.d`. */
  metadataFileBytes: 1024 * 1024,
  /** Entries matched by one `%files` pattern. */
  filesPerPattern: 100_000,
  /** Nested `localimage` bases whose definitions are kept in `bootstrap_history`. */
  bootstrapHistory: 1_000,
} as const;

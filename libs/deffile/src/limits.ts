/** Limits of what is read from a definition file. The section limits are those of the stock parser (contract §1.5). */
export const LIMITS = {
  /** Bytes of a whole file: far above any real one. */
  fileBytes: 1024 * 1024,
  /** Bytes of a section that another one follows, its title line included; also of a header. */
  sectionBytes: 65_530,
  /** Bytes of the last section. */
  lastSectionBytes: 65_535,
  stages: 100,
} as const;

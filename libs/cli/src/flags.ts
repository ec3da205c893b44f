interface FlagBase {
  /** One line of help, without a full stop. */
  readonly summary: string;
  /** One letter. */
  readonly short?: string;
  /** Other long names of the same flag. */
  readonly aliases?: readonly string[];
  /** Keys that follow the prefixes of the environment (`SING_`, `SINGULARITY_` …), first one wins. */
  readonly env?: readonly string[];
  /** Works, but is not in help, completion and manual. */
  readonly hidden?: boolean;
}

export interface BooleanFlag extends FlagBase {
  readonly type: 'boolean';
}

export interface StringFlag extends FlagBase {
  readonly type: 'string';
  /** What stands for the value in help, in capitals. */
  readonly value: string;
  readonly choices?: readonly string[];
  readonly default?: string;
}

export interface IntegerFlag extends FlagBase {
  readonly type: 'integer';
  readonly value: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: number;
}

/** A flag that may be given several times. */
export interface ListFlag extends FlagBase {
  readonly type: 'list';
  readonly value: string;
  /** Commas separate values, too; without it every occurrence is one value. */
  readonly commas?: boolean;
  /** Values of the environment are added to those of the command line instead of being replaced by them. */
  readonly envAdds?: boolean;
}

export type Flag = BooleanFlag | StringFlag | IntegerFlag | ListFlag;

/** Flags by their long name without dashes. */
export type Flags = Readonly<Record<string, Flag>>;

/** The value that a handler gets for a flag. */
export type FlagValue<F extends Flag> = F extends BooleanFlag
  ? boolean
  : F extends ListFlag
    ? readonly string[]
    : F extends IntegerFlag
      ? F extends { readonly default: number }
        ? number
        : number | undefined
      : F extends { readonly default: string }
        ? string
        : string | undefined;

export type FlagValues<F extends Flags> = { readonly [K in keyof F]: FlagValue<F[K]> };

/** What a handler sees when it does not know which command it belongs to. */
export type AnyFlagValue = boolean | string | number | readonly string[] | undefined;

/** The `--json` flag of every listing and showing verb. */
export const jsonFlag = {
  json: { type: 'boolean', short: 'j', summary: 'print one JSON object for programs' },
} as const satisfies Flags;

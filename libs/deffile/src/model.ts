/**
 * A parsed definition file (definition-file contract). Text keeps its line feeds; names of headers and sections are lower case;
 * line numbers are 1-based and belong to the text that was parsed, after substitution.
 */

/** The keys and values above the first section of a stage, in the order of their first appearance. */
export type Header = ReadonlyMap<string, string>;

/** Sections whose body is a script or a text. */
export const SCRIPT_SECTIONS = [
  'help',
  'setup',
  'pre',
  'post',
  'environment',
  'runscript',
  'startscript',
  'test',
] as const;
export type ScriptSection = (typeof SCRIPT_SECTIONS)[number];

/** Per-app sections (SCIF, contract §10). */
export const APP_SECTIONS = [
  'appinstall',
  'appfiles',
  'appenv',
  'applabels',
  'apphelp',
  'apprun',
  'appstart',
  'apptest',
] as const;
export type AppSection = (typeof APP_SECTIONS)[number];

/** One stretch of lines of the file that became part of a script. */
export interface Piece {
  /** Line of the file that holds the first line of this piece. */
  readonly line: number;
  readonly text: string;
}

/** The body of a script section; several sections of one name are joined in order. */
export interface Script {
  /** Text after the name on the title line, comment included: each consumer cuts at `#` (contract §3.1). */
  readonly args: string;
  readonly script: string;
  readonly pieces: readonly Piece[];
}

export interface FileTransfer {
  readonly source: string;
  /** Empty: the same path as the source. */
  readonly destination: string;
  readonly line: number;
}

/** All `%files` sections with the same argument text. */
export interface FileBlock {
  readonly args: string;
  /** The stage to copy from; undefined for files of the host (contract §3.2 rule 7). */
  readonly stage: string | undefined;
  readonly files: readonly FileTransfer[];
}

export interface App {
  readonly name: string;
  readonly sections: ReadonlyMap<AppSection, Script>;
}

export interface Stage {
  /** Value of the header key `stage`. */
  readonly name: string | undefined;
  /** Undefined when the stage begins with a section: parses, but cannot be built (contract §4.4). */
  readonly header: Header | undefined;
  readonly scripts: ReadonlyMap<ScriptSection, Script>;
  readonly labels: ReadonlyMap<string, string>;
  readonly files: readonly FileBlock[];
  /** In order of first appearance, which is the order of installation. */
  readonly apps: readonly App[];
  /** Text of this stage after substitution. */
  readonly text: string;
  /** Line of the file on which the stage begins. */
  readonly line: number;
}

export interface Definition {
  readonly stages: readonly Stage[];
  /** The substituted text of all stages: what is stored in the image (contract §5). */
  readonly text: string;
  readonly warnings: readonly string[];
}

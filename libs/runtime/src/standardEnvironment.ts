/** One file of `/.singularity.d/env` as a build writes it (definition-file contract §9). */
export interface EnvironmentFile {
  readonly name: string;
  readonly content: string;
  /** The runtime does by itself what this file says (for a start without --app): a start need not run a shell because of it. */
  readonly known: boolean;
}

const file = (name: string, text: string, known = false): EnvironmentFile => ({
  name,
  content: `#!/bin/sh\n${text}`,
  known,
});

/**
 * The standard environment scripts of an image. Builds write exactly these texts, and a start recognises them by their whole content, so that an image
 * whose author set nothing starts without a shell. Files with comments only are never run. 0755 each.
 */
export const STANDARD_ENVIRONMENT: readonly EnvironmentFile[] = [
  file('01-base.sh', '# The base of the environment: nothing is set here.\n'),
  file('90-environment.sh', '# Environment of the definition file.\n'),
  file('91-environment.sh', '# Environment that was written during the build.\n'),
  file('94-appsbase.sh', '# Places of the apps.\n'),
  file(
    '95-apps.sh',
    `# The app that was asked for: its programs, libraries and variables come first.
if [ -n "\${SINGULARITY_APPNAME:-}" ]; then
    SCIF_APPNAME=$SINGULARITY_APPNAME
    SCIF_APPROOT=/scif/apps/$SCIF_APPNAME
    SCIF_APPDATA=/scif/data/$SCIF_APPNAME
    export SCIF_APPNAME SCIF_APPROOT SCIF_APPDATA
    PATH=$SCIF_APPROOT:$SCIF_APPROOT/bin:$PATH
    LD_LIBRARY_PATH=$SCIF_APPROOT/lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    export PATH LD_LIBRARY_PATH
    for __app_file in "$SCIF_APPROOT"/scif/env/*.sh; do
        if [ -f "$__app_file" ]; then . "$__app_file"; fi
    done
    unset __app_file
fi
`,
    true,
  ),
  file(
    '99-base.sh',
    `# Libraries that the runtime binds from the host are searched last.
case ":\${LD_LIBRARY_PATH:-}:" in
    *:/.singularity.d/libs:*) ;;
    *) LD_LIBRARY_PATH=\${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}/.singularity.d/libs ;;
esac
PS1='Singularity> '
export LD_LIBRARY_PATH PS1
`,
    true,
  ),
  file(
    '99-runtimevars.sh',
    `# PATH as the command line wants it (set by runtimes that leave this to the image).
if [ -n "\${SING_USER_DEFINED_PATH:-}" ]; then PATH=$SING_USER_DEFINED_PATH; fi
if [ -n "\${SING_USER_DEFINED_PREPEND_PATH:-}" ]; then PATH=$SING_USER_DEFINED_PREPEND_PATH:$PATH; fi
if [ -n "\${SING_USER_DEFINED_APPEND_PATH:-}" ]; then PATH=$PATH:$SING_USER_DEFINED_APPEND_PATH; fi
unset SING_USER_DEFINED_PATH SING_USER_DEFINED_PREPEND_PATH SING_USER_DEFINED_APPEND_PATH
export PATH
`,
    true,
  ),
];

import type { LaunchOptions } from '../options/launchOptions.js';
import type { Bytes } from '../plan.js';
import { quoted } from './shellText.js';

/** The end of the action script: what the verb starts, with the payload's arguments in `"$@"` (runtime contract §2.9). */
export function verbText(options: LaunchOptions): Bytes {
  return `${BECOME}\n${verb(options)}`;
}

function verb(options: LaunchOptions): Bytes {
  const app = options.app === null ? '' : appCheck(options.app);
  switch (options.verb) {
    case 'exec':
      return app + EXEC;
    case 'shell':
      return app + shellText(options);
    case 'run':
      return options.app === null ? runText(options) : app + appRun(options.app);
    case 'start':
      return options.app === null ? startText(options) : app + appStart(options.app);
    case 'test':
      break;
  }
  return options.app === null ? testText(options) : app + appTest(options.app);
}

const fail = (level: 'FATAL' | 'ERROR', text: Bytes, status: number): Bytes =>
  `{ printf '%-8s %s\\n' '${level}:' ${text} >&2; exit ${status}; }`;

const info = (options: LaunchOptions, text: Bytes): Bytes =>
  options.messages.level >= 1 ? `printf '%-8s %s\\n' 'INFO:' ${quoted(text)} >&2` : ':';

/**
 * Becomes a program. A shell whose `exec` fails (no interpreter or loader, a program for another machine) says its reason and ends with 126 or 127; the status of
 * a start that fails is another. Shells but bash end at once, through the trap.
 */
const BECOME = `__sing_unable() {
case $? in 126|127) ${fail('FATAL', '"exec $__sing_program: it is in the image, but cannot be started: its interpreter or loader may be missing"', 255)} ;; esac
}
__sing_become() {
__sing_program=$1
[ -z "\${BASH_VERSION-}" ] || shopt -s execfail
trap __sing_unable EXIT
exec "$@"
__sing_unable
}`;

/**
 * The search is done here and not left to the shell's `exec`, whose message and status (127) are others. The first word is left alone
 * by the loop's own words: only `"$@"` reaches the payload.
 */
const EXEC = `case $1 in
*/*)
[ -e "$1" ] || ${fail('FATAL', '"stat $1: no such file or directory"', 255)}
[ -f "$1" ] && [ -x "$1" ] || ${fail('FATAL', '"\\"$1\\": permission denied"', 255)} ;;
*)
__sing_seen=
__sing_rest=$PATH:
while [ -n "$__sing_rest" ]; do
__sing_folder=\${__sing_rest%%:*}
__sing_rest=\${__sing_rest#*:}
if [ -f "\${__sing_folder:-.}/$1" ]; then
__sing_seen=1
[ -x "\${__sing_folder:-.}/$1" ] && __sing_seen=2 && break
fi
done
case $__sing_seen in
1) ${fail('FATAL', '"\\"$1\\": permission denied"', 255)} ;;
'') ${fail('FATAL', `"\\"$1\\": executable file not found in "'$PATH'`, 255)} ;;
esac
unset __sing_seen __sing_rest __sing_folder ;;
esac
__sing_become "$@"`;

function shellText(options: LaunchOptions): Bytes {
  const wanted = options.shell === null ? null : quoted(options.shell);
  return [
    wanted === null
      ? ''
      : `[ -f ${wanted} ] && [ -x ${wanted} ] && export SHELL=${wanted} && __sing_become ${wanted} "$@"`,
    '[ -x /bin/bash ] && export SHELL=/bin/bash && __sing_become /bin/bash --norc "$@"',
    '[ -x /bin/sh ] && export SHELL=/bin/sh && __sing_become /bin/sh "$@"',
    fail('ERROR', quoted('No shell found in container'), 1),
  ]
    .filter((line) => line !== '')
    .join('\n');
}

/** A runscript for /bin/sh in an image without one is read by the shell that runs this. */
const RUN_SCRIPT = `__sing_start() {
if [ -e /bin/sh ]; then return 0; fi
read -r __sing_line < "$1" || :
case $__sing_line in '#!/bin/sh'|'#!/bin/sh '*) return 1 ;; esac
}`;

const start = (path: Bytes): Bytes =>
  `if __sing_start ${path}; then __sing_become ${path} "$@"; else . ${path}; exit; fi`;

function runText(options: LaunchOptions): Bytes {
  return `${RUN_SCRIPT}
if [ -x /.singularity.d/runscript ]; then ${start('/.singularity.d/runscript')}
elif [ -x /singularity ]; then ${start('/singularity')}
elif [ -x /bin/sh ]; then ${info(options, 'No runscript found in container, executing /bin/sh')}; __sing_become /bin/sh "$@"
fi
${fail('ERROR', quoted('No runscript and no /bin/sh executable found in container, aborting'), 1)}`;
}

function testText(options: LaunchOptions): Bytes {
  return `${RUN_SCRIPT}
if [ -x /.singularity.d/test ]; then ${start('/.singularity.d/test')}; fi
${info(options, 'No test script found in container, exiting')}
exit 0`;
}

/** An instance without a startscript is there to be joined. */
function startText(options: LaunchOptions): Bytes {
  return `${RUN_SCRIPT}
if [ -x /.singularity.d/startscript ]; then ${start('/.singularity.d/startscript')}; fi
${info(options, 'No startscript found in container, nothing is started in the instance')}
exit 0`;
}

function appCheck(app: Bytes): Bytes {
  return `[ -d ${quoted(`/scif/apps/${app}`)} ] || ${fail('ERROR', quoted(`Could not locate the container application: ${app}`), 1)}\n`;
}

function appScript(app: Bytes, name: Bytes, missing: Bytes): Bytes {
  const path = quoted(`/scif/apps/${app}/scif/${name}`);
  return `${RUN_SCRIPT}
if [ -x ${path} ]; then ${start(path)}; fi
${fail('ERROR', quoted(missing), 1)}`;
}

const appRun = (app: Bytes): Bytes => appScript(app, 'runscript', `No runscript for contained app: ${app}`);
const appStart = (app: Bytes): Bytes =>
  appScript(app, 'startscript', `No startscript for contained app: ${app}`);
const appTest = (app: Bytes): Bytes => appScript(app, 'test', `No tests for contained app: ${app}`);

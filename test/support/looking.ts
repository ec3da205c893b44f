/**
 * A shell script for a payload: it looks at every process that it sees, and prints the name of each; behind that, for each way through one of them to `mark`, a file
 * of the host, or to `secret`, a word in the environment of who called, `WAY of NAME leads out`.
 */
export function lookThroughProcesses(mark: string, secret: string): string {
  const up = '/..'.repeat(9);
  return `
for one in /proc/[0-9]*; do
  name=$(cat $one/comm 2>/dev/null) || continue
  printf '%s\\n' "$name"
  for way in root cwd fd/0 fd/1 fd/2 fd/3 fd/4 fd/5 fd/6 fd/7 fd/8 fd/9 fd/10 fd/11 fd/12; do
    for path in '${mark}' '${up}${mark}'; do
      [ -e "$one/$way$path" ] && printf '%s of %s leads out\\n' $way "$name"
    done
  done
  grep -q '${secret}' $one/environ 2>/dev/null && printf 'environ of %s leads out\\n' "$name"
done
true`;
}

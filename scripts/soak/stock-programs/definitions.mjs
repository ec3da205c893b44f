/** A root with one static program that is shell and tools: builds need no network and no other image. */
const BASE = `bootstrap: scratch
%files
/bin/busybox /bin/busybox
/bin/busybox /bin/sh
%post
/bin/busybox --install -s /bin
`;

/** Files that everybody has in their home. */
export const DEFINITIONS = {
  'hello.def': `${BASE}echo made > /made
%environment
export GREETING=hello
%labels
org.example.what trial
%runscript
echo "ran with $*"
%startscript
exec sleep 3600
`,
  'fails.def': `${BASE}echo nothing works >&2
exit 7
`,
  'docker.def': 'bootstrap: docker\nfrom: busybox\n',
  'from.def': 'bootstrap: library\nfrom: {me}/tools/hello:1\n',
};

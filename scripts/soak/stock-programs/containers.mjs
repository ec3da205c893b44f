/** Each of them does the same with what `sing build` has made here, and with what the builder has. */
export const containers = ['hello.sif', 'remote.sif'].flatMap((image) => [
  { stock: `inspect ${image}`, says: ['org.example.what: trial'] },
  { stock: `inspect --deffile ${image}`, says: [/^echo made > \/made$/m] },
  { stock: `inspect --runscript ${image}`, says: ['echo "ran with $*"'] },
  { stock: `inspect --environment ${image}`, says: ['export GREETING=hello'] },
  { stock: `exec ${image} cat /made`, says: [/^made$/m] },
  { stock: `exec ${image} sh -c "exit 7"`, status: 7 },
  { stock: `run ${image} one two`, says: [/^ran with one two$/m] },
  { stock: `exec --fakeroot ${image} id -u`, says: [/^0$/m], root: true },
  { stock: `instance start ${image} web`, says: ['instance started successfully'] },
  { stock: 'instance list', says: [/^web +\d+ /m] },
  { stock: 'exec instance://web sh -c "echo $GREETING"', says: [/^hello$/m] },
  { stock: 'instance stop web', says: ['Stopping web instance'] },
  { stock: 'instance list', never: ['web'] },
]);

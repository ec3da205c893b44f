/** By the builder of the instance; Apptainer has no such command. */
export const builds = [
  {
    stock: 'build --remote remote.sif hello.def',
    says: ['Build complete'],
    there: 'remote.sif',
    only: 'singularity',
  },
  { sing: 'build --remote remote.sif hello.def', there: 'remote.sif', only: 'apptainer' },
  {
    stock: 'build --remote library://{me}/built/now:1 hello.def',
    says: ['Build complete'],
    only: 'singularity',
  },
  { stock: 'pull now.sif library://{me}/built/now:1', there: 'now.sif', only: 'singularity' },
  {
    stock: 'build --remote --detached library://{me}/built/later:1 hello.def',
    says: ['Build submitted', 'https://{site}/library/{me}/built/later:1'],
    only: 'singularity',
  },
  {
    stock: 'pull --disable-cache --force later.sif library://{me}/built/later:1',
    there: 'later.sif',
    only: 'singularity',
    until: true,
  },
  {
    stock: 'build --remote fails.sif fails.def',
    status: 255,
    says: [
      /^nothing works$/m,
      // The last line of the log; what follows is the program's own.
      /^Build failed: while running %post at line \d+ of the definition: exit status 7\.[^\n]*\n+(INFO|FATAL)/m,
    ],
    gone: 'fails.sif',
    only: 'singularity',
  },
  {
    stock: 'build --remote fails.sif docker.def',
    status: 255,
    says: ['docker'],
    gone: 'fails.sif',
    only: 'singularity',
  },
  { stock: 'build --fakeroot from.sif from.def', there: 'from.sif', root: true },
  { stock: 'exec from.sif cat /made', says: [/^made$/m], root: true },
];

import { defineCommand } from '#libs/cli';

export const version = defineCommand({
  name: 'version',
  summary: 'print the version',
  run: ({ out, program }) => out.line(program.version),
});

import { GROUPS, notesOf } from './settings.js';

const HEAD = `# Every setting of the servers, generated from libs/config (npm run format does not touch it; a test keeps it equal).
# Nothing needs to be set for one machine. Where a line says "secret", NAME_FILE may name a file that holds the value.
`;

/** The text of \`.env.example\`. */
export function environmentExample(): string {
  const groups = Object.entries(GROUPS).map(([title, group]) => {
    const lines = Object.entries(group.shape).map(([name, schema]) => {
      const { about, example, secret } = notesOf(schema);
      return `\n# ${about}${secret === true ? ' (secret)' : ''}\n# ${name}=${example}\n`;
    });
    return `\n## ${title}\n${lines.join('')}`;
  });
  return `${HEAD}${groups.join('')}`;
}

import { DomainError, expected } from '#libs/core';
import { defineCommand, type Command } from './command.js';

/** `completion SHELL` and the hidden `manual`: what a program can say about itself in other formats. */
export function generatedCommands(programName: string): readonly Command[] {
  return [
    defineCommand({
      name: 'completion',
      summary: 'print a completion script for a shell',
      description:
        'It needs nothing but the shell. Where it goes:\n' +
        `  bash  ~/.local/share/bash-completion/completions/${programName}\n` +
        `  zsh   source it in ~/.zshrc, behind compinit\n` +
        `  fish  ~/.config/fish/completions/${programName}.fish\n` +
        `The manual page is printed by: ${programName} manual > ~/.local/share/man/man1/${programName}.1`,
      positionals: [{ name: 'shell', summary: 'bash, zsh or fish' }],
      examples: [
        { line: `source <(${programName} completion bash)`, summary: 'complete words in this shell' },
        {
          line: `${programName} completion fish > ~/.config/fish/completions/${programName}.fish`,
          summary: 'from now on, in fish',
        },
      ],
      async run({ args, out, program }) {
        const { completionScript, SHELLS } = await import('./completion.js');
        const shell = SHELLS.find((each) => each === args.shell);
        if (shell === undefined) {
          throw new DomainError('bad_request', expected(SHELLS.join(', '), 'the shell', args.shell), {
            exitCode: 1,
          });
        }
        out.text(completionScript(program, shell));
      },
    }),
    defineCommand({
      name: 'manual',
      summary: 'print the manual page, the same as Markdown, or all help texts with an index',
      hidden: true,
      flags: {
        format: {
          type: 'string',
          value: 'FORMAT',
          choices: ['man', 'markdown', 'help-index'],
          default: 'man',
          summary: 'which format',
        },
      },
      async run({ flags, out, program }) {
        if (flags.format === 'help-index') {
          const { helpIndex } = await import('./help-index.js');
          out.text(await helpIndex(program));
          return;
        }
        const { manualMarkdown, manualPage } = await import('./manual.js');
        out.text(flags.format === 'markdown' ? manualMarkdown(program) : manualPage(program));
      },
    }),
  ];
}

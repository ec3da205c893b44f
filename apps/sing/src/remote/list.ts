import { defineCommand, jsonFlag } from '#libs/cli';
import { listRemotes } from '../remotes/remotes.js';

export const remoteList = defineCommand({
  name: 'list',
  summary: 'list the remotes',
  flags: jsonFlag,
  async run(ctx) {
    const { remotes, active } = await listRemotes(ctx);
    if (ctx.flags.json) {
      ctx.out.json({
        remotes: remotes.map((remote) => ({
          name: remote.name,
          uri: remote.frontend,
          active: remote.name === active,
          global: remote.global,
          exclusive: remote.exclusive,
          secure: !remote.insecure,
          loggedIn: remote.token !== undefined,
          origin: remote.origin,
        })),
      });
      return;
    }
    const mark = (value: boolean) => (value ? '✓' : '');
    ctx.out.table(
      ['NAME', 'URI', 'DEFAULT?', 'GLOBAL?', 'EXCLUSIVE?', 'SECURE?', 'TOKEN?'],
      remotes.map((remote) => [
        remote.name,
        remote.frontend,
        mark(remote.name === active),
        mark(remote.global),
        mark(remote.exclusive),
        remote.insecure ? '✗!' : '✓',
        mark(remote.token !== undefined),
      ]),
    );
    if (remotes.length === 0) ctx.log.info('No remotes. Add one: sing remote add NAME ADDRESS');
  },
});

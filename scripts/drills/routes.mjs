import { chosenModules } from '#apps/all-in-one/src/modules';
import { routesOf } from '#libs/server';

/** Every route of these services, as the decorators of the checkout say: `{ method, path, access, url }`, where `url` has words for parameters. */
export async function routesOfServices(services) {
  const found = await Promise.all(
    services.map(async (service) =>
      routesOf(await chosenModules({ services: [service] })).map((route) => ({ ...route, service })),
    ),
  );
  return found
    .flat()
    .filter(({ method }) => method !== 'ALL')
    .map((route) => ({ ...route, url: route.path.replaceAll(/:\w+/g, 'x1').replace('*', 'x1') }));
}

/** Those that nobody may call without a token. */
export const isClosed = ({ access }) => access.kind === 'token';

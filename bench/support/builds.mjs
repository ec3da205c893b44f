import { rm, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { packContext } from '#libs/build';
import { BuilderClient, HttpClient } from '#libs/client';
import { parseDefinition } from '#libs/deffile';

/** The builder of an instance, as `sing build --remote` uses it, without the start of a program. */
export async function builderOf(instance, folder) {
  const http = new HttpClient({
    baseUrl: instance.url,
    token: instance.token,
    ca: instance.ca,
    userAgent: 'bench',
  });
  const builder = new BuilderClient(http);
  await mkdir(folder, { recursive: true });
  return {
    /** Sends the files that a definition names; the builder keeps them, so once is enough. */
    async sendFiles(definition) {
      const output = join(folder, 'context.tar.gz');
      const context = await packContext({
        definition: parseDefinition(definition),
        workingDirectory: folder,
        output,
        signal: undefined,
      });
      if (context !== undefined) await builder.uploadContext(context);
      await rm(output, { force: true });
      return context?.digest;
    },

    async submit(definition, contextDigest) {
      const { id } = await builder.submit({
        definitionRaw: Buffer.from(definition).toString('base64'),
        libraryRef: '',
        workingDir: folder,
        ...(contextDigest === undefined ? {} : { contextDigest }),
      });
      return id;
    },

    /** Follows the log to its end. */
    follow: (id, onText) => builder.followLog(id, { onText }),

    cancel: (id) => builder.cancel(id),

    /** @throws Error with the reason when the build made no image */
    async requireImage(id) {
      const { imageSize, failureReason } = await builder.status(id);
      if (!(imageSize > 0))
        throw new Error(`Expected an image of build ${id}, got ${failureReason ?? 'none'}`);
    },

    close: () => http.close(),
  };
}

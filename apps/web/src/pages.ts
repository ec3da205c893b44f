import type { ScsConfig } from '#libs/config';
import { type Html, markup, page } from '#libs/server';

export interface PageFacts {
  readonly config: ScsConfig;
  /** SHA-256 of the authority's certificate, as `openssl x509 -fingerprint -sha256` prints it; undefined without one. */
  readonly caFingerprint: string | undefined;
}

/** What this instance is and what to type. */
export function startPage({ config, caFingerprint }: PageFacts): string {
  const url = config.publicUrl;
  return page(
    'SCS',
    markup`<h1>SCS</h1>
<p>Self-hosted Singularity Container Services: a library of container images, a keystore for the keys that sign them
and a remote builder. This instance runs version ${config.version} at <code>${url}</code>.</p>
${caFingerprint === undefined ? markup`` : authority(url, caFingerprint)}
<h2>Connect</h2>
<pre>sing remote add site ${url}
sing remote status site</pre>
<p>The first line asks for a token: <a href="/auth/tokens">how to get one</a>.</p>
${stockClients(url)}
<h2>Keys</h2>
<p><a href="${config.serviceUrl('keystore')}/pks/stats">Find the keys</a> of people who sign images.</p>
<h2>Services</h2>
<table>
${(['library', 'keystore', 'auth', 'builder'] as const).map(
  (name) => markup`<tr><th scope="row">${name}</th><td><code>${config.serviceUrl(name)}</code></td></tr>`,
)}
</table>`,
  );
}

function authority(url: string, fingerprint: string): Html {
  return markup`<h2>Trust</h2>
<p>The certificate of this server comes from an authority of its own: <a href="/ca.pem" download="scs-ca.pem">ca.pem</a>.
Compare its SHA-256 fingerprint with the one that your administrator names:</p>
<pre>${fingerprint}</pre>
<pre>curl --insecure --output scs-ca.pem ${url}/ca.pem
openssl x509 -in scs-ca.pem -noout -fingerprint -sha256
export SING_CA_FILE=$PWD/scs-ca.pem</pre>`;
}

/** Stock clients lose a port on the way (library contract §2.2), so they are only told what works for them. */
function stockClients(url: string): Html {
  const { host, port, protocol } = new URL(url);
  const add = `singularity remote add ${protocol === 'http:' ? '--insecure ' : ''}site ${host}`;
  return port === ''
    ? markup`<p>With SingularityCE or Apptainer:</p>
<pre>${add}</pre>`
    : markup`<p>SingularityCE and Apptainer reach a remote on the standard port only; this instance is on port ${port}.</p>`;
}

// What the inside needs in order to take the authority's certificates: files, and variables that tell programs of them. Pure: who
// makes the sandbox puts them there.

import { javaTrustStore } from './jks.ts';
import { pemCertificates } from './trust.ts';

export interface InstalledFile {
  readonly path: string;
  readonly content: Buffer;
}

export interface Installed {
  readonly files: readonly InstalledFile[];
  readonly env: Readonly<Record<string, string>>;
}

export interface InstallOptions {
  /** The authority's certificate. */
  readonly caPem: string;
  /** The bundle that the inside would use otherwise, and where it lies: those files get the authority, too. */
  readonly bundlePem: string;
  readonly bundlePaths?: readonly string[];
  /** Folder inside for files of ours. */
  readonly folder?: string;
  /** The environment inside so far. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Every Java's own trust store has it, and it protects nothing: the store holds public certificates. */
const STORE_PASSWORD = 'changeit';

/** Variables that name a file in which a program finds all authorities, and whose. */
const BUNDLE_VARIABLES = [
  'SSL_CERT_FILE', // OpenSSL, Go, Python's ssl, Ruby, wget, rustls-native-certs
  'CURL_CA_BUNDLE', // curl
  'REQUESTS_CA_BUNDLE', // Python's requests
  'PIP_CERT', // pip
  'GIT_SSL_CAINFO', // git
  'AWS_CA_BUNDLE', // AWS's tools
  'CARGO_HTTP_CAINFO', // cargo
] as const;

/** Files and variables by which curl, Python, Node.js, Go, Java, git and others trust the authority and all that the system does. */
export function installation(options: InstallOptions): Installed {
  const folder = options.folder ?? '/etc/vedette';
  const system = pemCertificates(options.bundlePem);
  const bundle = Buffer.from([...system, options.caPem].join(''));
  const ca = `${folder}/ca.pem`;
  const all = `${folder}/ca-bundle.pem`;
  const store = `${folder}/truststore.jks`;
  const java = `-Djavax.net.ssl.trustStore=${store} -Djavax.net.ssl.trustStorePassword=${STORE_PASSWORD}`;
  const before = options.env?.JAVA_TOOL_OPTIONS;
  return {
    files: [
      { path: ca, content: Buffer.from(options.caPem) },
      { path: all, content: bundle },
      { path: store, content: javaTrustStore([...system, options.caPem], STORE_PASSWORD) },
      ...(options.bundlePaths ?? []).map((path) => ({ path, content: bundle })),
    ],
    env: {
      ...Object.fromEntries(BUNDLE_VARIABLES.map((name) => [name, all])),
      // These add to what the program brings along.
      NODE_EXTRA_CA_CERTS: ca,
      DENO_CERT: ca,
      JAVA_TOOL_OPTIONS: before ? `${before} ${java}` : java,
    },
  };
}

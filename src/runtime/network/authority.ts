// The certificate authority inside: files and variables by which programs believe the process for HTTP and TLS (proxy/install.ts). Nothing
// of it reaches a file of the host: ours are in /dev, which is always memory, and so is what the system's bundle becomes.

import { AT_FDCWD, O_CREAT, O_TRUNC, O_WRONLY } from '../../abi/fs/fcntl.ts';
import { type InstalledFile, installation } from '../../proxy/install.ts';
import { pemCertificates, SYSTEM_BUNDLES } from '../../proxy/trust.ts';
import { fromText } from '../../sentry/base/bytes.ts';
import { failed } from '../../sentry/base/errno.ts';
import { KernelIo } from '../../sentry/base/io.ts';
import { log } from '../../sentry/base/log.ts';
import type { Kernel } from '../../sentry/kernel/kernel.ts';
import { openAt } from '../../sentry/vfs/open.ts';
import type { BootContext } from '../boot_context.ts';
import { coverFile } from '../cover.ts';
import { makeDirs, readText } from '../files.ts';

const FOLDER = '/dev/vedette';
/** Variables by which a caller names more authorities than the system has. */
export const CALLERS_BUNDLES: readonly string[] = [
  'SSL_CERT_FILE',
  'CURL_CA_BUNDLE',
  'REQUESTS_CA_BUNDLE',
  'NODE_EXTRA_CA_CERTS',
];

function certificatesOf(ctx: BootContext, path: string): string[] {
  const text = readText(ctx, path);
  return typeof text === 'string' ? pemCertificates(text) : [];
}

function write(ctx: BootContext, file: InstalledFile): void {
  const f = openAt(ctx, AT_FDCWD, file.path, O_WRONLY | O_CREAT | O_TRUNC, 0o644);
  const r = failed(f) ? f : f.write(ctx, new KernelIo(file.content));
  if (r < 0) log(`${file.path} cannot be written (${r})`);
  if (!failed(f)) f.unref();
}

/**
 * Puts the authority `caPem` inside; the environment with the variables that tell of it, but for those in `kept`, which somebody set
 * for this very run.
 */
export function installAuthority(
  kernel: Kernel,
  ctx: BootContext,
  caPem: string,
  env: readonly string[],
  kept: readonly string[],
): string[] {
  const given = new Map(
    env.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
  const bundles = SYSTEM_BUNDLES.filter((path) => certificatesOf(ctx, path).length > 0);
  const more = CALLERS_BUNDLES.flatMap((name) => {
    const path = given.get(name);
    return path?.startsWith('/') ? certificatesOf(ctx, fromText(path)) : [];
  });
  const system = bundles.length === 0 ? [] : certificatesOf(ctx, bundles[0]!);
  const java = given.get('JAVA_TOOL_OPTIONS');
  const made = installation({
    caPem,
    bundlePem: [...new Set([...system, ...more])].join(''),
    bundlePaths: bundles.filter((path) => coverFile(kernel, ctx, path) === 0),
    folder: FOLDER,
    env: java === undefined ? {} : { JAVA_TOOL_OPTIONS: java },
  });
  const at = makeDirs(ctx, FOLDER, 0o755);
  if (failed(at)) log(`${FOLDER} cannot be made (${at})`);
  for (const file of made.files) write(ctx, file);
  const set = Object.entries(made.env).filter(([name]) => !kept.includes(name));
  const names = new Set(set.map(([name]) => name));
  return [
    ...env.filter((entry) => !names.has(entry.slice(0, entry.indexOf('=')))),
    ...set.map(([name, value]) => `${name}=${value}`),
  ];
}

/** What do.ts loads when a sandbox needs it: the modules are of no use to others. */
export { HttpProxy } from './http_proxy.ts';

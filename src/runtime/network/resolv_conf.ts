// /etc/resolv.conf: which resolvers the host has, and the file that programs inside find.

import { readFileSync } from 'node:fs';
import { EEXIST, ELOOP, ENOENT } from '../../abi/errno.ts';
import { AT_FDCWD, O_CREAT, O_TRUNC, O_WRONLY } from '../../abi/fs/fcntl.ts';
import { parseAddress } from '../../net/address.ts';
import type { Name } from '../../net/endpoint.ts';
import { stringToBytes } from '../../sentry/base/bytes.ts';
import { failed } from '../../sentry/base/errno.ts';
import { KernelIo } from '../../sentry/base/io.ts';
import { log } from '../../sentry/base/log.ts';
import type { Kernel } from '../../sentry/kernel/kernel.ts';
import { removeFile } from '../../sentry/vfs/dirops.ts';
import { openAt } from '../../sentry/vfs/open.ts';
import type { BootContext } from '../boot_context.ts';
import { coverFile, isMemory } from '../cover.ts';

const FOLDER = '/etc';
const FILE = `${FOLDER}/resolv.conf`;
const PORT = 53;
/** MAXNS of <resolv.h>. */
const MOST = 3;

/** The host's resolvers, and its other lines that say how names are looked up. */
export function hostResolvers(): { servers: Name[]; search: string[] } {
  let text = '';
  try {
    text = readFileSync(FILE, 'latin1');
  } catch {}
  const servers: Name[] = [];
  const search: string[] = [];
  for (const line of text.split('\n')) {
    const [word, value = ''] = line.trim().split(/\s+/);
    const address = word === 'nameserver' ? parseAddress(value.split('%')[0]!) : undefined;
    if (address !== undefined && servers.length < MOST) servers.push({ address, port: PORT });
    if (word === 'search' || word === 'domain') search.push(line.trim());
  }
  // resolv.conf(5): without any, the machine itself.
  if (servers.length === 0) servers.push({ address: parseAddress('127.0.0.1')!, port: PORT });
  return { servers, search };
}

/** Writes the file inside: our server, and the host's search list. */
export function writeResolvConf(
  kernel: Kernel,
  ctx: BootContext,
  server: string,
  search: readonly string[],
): void {
  const covered = coverFile(kernel, ctx, FILE);
  if (covered < 0 && !isMemory(ctx, FOLDER)) {
    log(`--network: ${FILE} is not there, and cannot be made without changing this machine`);
    return;
  }
  const text = `${[`nameserver ${server}`, ...search].join('\n')}\n`;
  const open = () => openAt(ctx, AT_FDCWD, FILE, O_WRONLY | O_CREAT | O_TRUNC, 0o644);
  let file = open();
  // On many machines it is a link, to a file that need not be there inside.
  if (file === -ENOENT || file === -ELOOP || file === -EEXIST) {
    removeFile(ctx, AT_FDCWD, FILE);
    file = open();
  }
  const r = failed(file) ? file : file.write(ctx, new KernelIo(stringToBytes(text)));
  if (r < 0) log(`--network: ${FILE} cannot be written (${r})`);
  if (!failed(file)) file.unref();
}

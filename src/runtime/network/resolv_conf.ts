// /etc/resolv.conf: which resolvers the host has, and the file that programs inside find.

import { readFileSync } from 'node:fs';
import { EROFS } from '../../abi/errno.ts';
import { parseAddress } from '../../net/address.ts';
import type { Name } from '../../net/endpoint.ts';
import { log } from '../../sentry/base/log.ts';
import type { Kernel } from '../../sentry/kernel/kernel.ts';
import type { BootContext } from '../boot_context.ts';
import { coverFile } from '../cover.ts';
import { writeOwn } from '../files.ts';

const FILE = '/etc/resolv.conf';
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

/**
 * Writes the file inside: our server, and the host's search list. On many machines it is a link there, whose place it takes; the
 * host's own, below --bind, is covered.
 */
export function writeResolvConf(
  kernel: Kernel,
  ctx: BootContext,
  server: string,
  search: readonly string[],
): void {
  const text = `${[`nameserver ${server}`, ...search].join('\n')}\n`;
  const put = () => writeOwn(ctx, '--network', 'resolv.conf', () => text);
  let r = put();
  if (r === -EROFS && coverFile(kernel, ctx, FILE) === 0) r = put();
  if (r < 0) log(`--network: ${FILE} cannot be written (${r})`);
}

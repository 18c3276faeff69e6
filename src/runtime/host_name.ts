// The name that --hostname gives: uname(2) tells it, and the files that programs ask agree. The host's own files stay as they are.

import { AT_FDCWD, O_APPEND, O_CREAT, O_TRUNC, O_WRONLY } from '../abi/fs/fcntl.ts';
import { fromText, stringToBytes } from '../sentry/base/bytes.ts';
import { failed } from '../sentry/base/errno.ts';
import { KernelIo } from '../sentry/base/io.ts';
import { log } from '../sentry/base/log.ts';
import type { Kernel } from '../sentry/kernel/kernel.ts';
import { openAt } from '../sentry/vfs/open.ts';
import type { BootContext } from './boot_context.ts';
import { readText } from './files.ts';

/** As Debian has it: an address of this machine alone, which is not localhost's own. */
const ADDRESS = '127.0.1.1';
const LOCALHOST = '127.0.0.1\tlocalhost\n';

/** Names the machine inside. Where there is no /etc that can be written, only the kernel knows. */
export function nameHost(kernel: Kernel, ctx: BootContext, hostname: string): void {
  const name = fromText(hostname);
  kernel.uts.nodename = name;
  put(ctx, '/etc/hostname', `${name}\n`, O_TRUNC);
  const hosts = readText(ctx, '/etc/hosts');
  const text = typeof hosts === 'number' ? LOCALHOST : hosts;
  const known = text
    .split('\n')
    .some((line) => line.split('#')[0]!.trim().split(/\s+/).slice(1).includes(name));
  if (known) return;
  const line = `${text === '' || text.endsWith('\n') ? '' : '\n'}${ADDRESS}\t${name}\n`;
  put(ctx, '/etc/hosts', typeof hosts === 'number' ? text + line : line, O_APPEND);
}

function put(ctx: BootContext, path: string, text: string, how: number): void {
  const file = openAt(ctx, AT_FDCWD, path, O_WRONLY | O_CREAT | how, 0o644);
  const r = failed(file) ? file : file.write(ctx, new KernelIo(stringToBytes(text)));
  if (r < 0) log(`--hostname: ${path} cannot be written (${r})`);
  if (!failed(file)) file.unref();
}

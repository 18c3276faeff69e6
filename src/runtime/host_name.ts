// The name that --hostname gives: uname(2) tells it, and the files that programs ask agree. The host's own files stay as they are.

import { fromText } from '../sentry/base/bytes.ts';
import { log } from '../sentry/base/log.ts';
import type { Kernel } from '../sentry/kernel/kernel.ts';
import type { BootContext } from './boot_context.ts';
import { writeOwn } from './files.ts';

/** As Debian has it: an address of this machine alone, which is not localhost's own. */
const ADDRESS = '127.0.1.1';
const LOCALHOST = '127.0.0.1\tlocalhost\n';

/** Names the machine inside. Where there is no /etc that can be written, only the kernel knows. */
export function nameHost(kernel: Kernel, ctx: BootContext, hostname: string): void {
  const name = fromText(hostname);
  kernel.uts.nodename = name;
  put(ctx, 'hostname', () => `${name}\n`);
  put(ctx, 'hosts', (before) => hostsWith(before ?? LOCALHOST, name));
}

/** The text of a hosts(5) with the name; null when it is there. */
function hostsWith(text: string, name: string): string | null {
  const known = text
    .split('\n')
    .some((line) => line.split('#')[0]!.trim().split(/\s+/).slice(1).includes(name));
  return known ? null : `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${ADDRESS}\t${name}\n`;
}

function put(ctx: BootContext, name: string, text: (before: string | null) => string | null): void {
  const r = writeOwn(ctx, '--hostname', name, text);
  if (r < 0) log(`--hostname: /etc/${name} cannot be written (${r})`);
}

// `vedette spec`: a config.json to begin with.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RuntimeError } from '../../runtime/oci/failure.ts';
import { OCI_VERSION } from '../../runtime/oci/read_spec.ts';
import type { Context } from './context.ts';
import { readFlags } from './flags.ts';

const CAPABILITIES = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'];
const HIDDEN = ['nosuid', 'noexec', 'nodev'];

function mount(destination: string, type: string, source: string, options: string[]): object {
  return { destination, type, source, options };
}

function defaultSpec(): object {
  return {
    ociVersion: OCI_VERSION,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ['sh'],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],
      cwd: '/',
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'vedette',
    mounts: [
      mount('/proc', 'proc', 'proc', HIDDEN),
      mount('/dev', 'tmpfs', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
      mount('/dev/pts', 'devpts', 'devpts', [
        'nosuid',
        'noexec',
        'newinstance',
        'ptmxmode=0666',
        'mode=0620',
        'gid=5',
      ]),
      mount('/dev/shm', 'tmpfs', 'shm', [...HIDDEN, 'mode=1777', 'size=65536k']),
      mount('/dev/mqueue', 'mqueue', 'mqueue', HIDDEN),
      mount('/sys', 'sysfs', 'sysfs', [...HIDDEN, 'ro']),
    ],
    linux: {
      // As runc's: there are no devices of the host to be allowed.
      resources: { devices: [{ allow: false, access: 'rwm' }] },
      namespaces: ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
      maskedPaths: ['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware'],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  };
}

export function spec(_ctx: Context, words: readonly string[]): number {
  const flags = readFlags(words, { bundle: 'text' });
  const file = join(flags.text('bundle') ?? '.', 'config.json');
  if (existsSync(file)) throw new RuntimeError(`File ${file} exists. Remove it first`);
  writeFileSync(file, `${JSON.stringify(defaultSpec(), null, '\t')}\n`, { mode: 0o666 });
  return 0;
}

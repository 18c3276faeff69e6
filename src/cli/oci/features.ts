// `vedette features`: what a bundle may ask for: runtime-spec, features.md.

import { MOUNT_OPTIONS } from '../../runtime/oci/read_mount.ts';
import { CAPABILITY_NAMES } from '../../runtime/oci/read_process.ts';
import { SECCOMP_ACTIONS, SECCOMP_OPERATORS } from '../../runtime/oci/read_seccomp.ts';
import { OCI_VERSION } from '../../runtime/oci/read_spec.ts';
import { HOOK_KINDS } from '../../runtime/oci/spec.ts';

export function features(): number {
  const answer = {
    ociVersionMin: '1.0.0',
    ociVersionMax: OCI_VERSION,
    hooks: HOOK_KINDS,
    mountOptions: MOUNT_OPTIONS,
    linux: {
      namespaces: ['cgroup', 'ipc', 'mount', 'network', 'pid', 'uts'],
      capabilities: CAPABILITY_NAMES,
      cgroup: { v1: true, v2: true, systemd: false, systemdUser: false, rdma: false },
      seccomp: {
        enabled: true,
        actions: SECCOMP_ACTIONS,
        operators: SECCOMP_OPERATORS,
        archs: ['SCMP_ARCH_X86_64'],
        knownFlags: [],
        supportedFlags: [],
      },
      apparmor: { enabled: false },
      selinux: { enabled: false },
      intelRdt: { enabled: false },
      mountExtensions: { idmap: { enabled: false } },
    },
    annotations: {},
  };
  process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
  return 0;
}

// Containers: podman with its own default seccomp profile and with Docker's, bubblewrap, and single system calls that fail as
// older or stricter profiles make them fail. The container's root is made of the host's directories.
import { chmodSync, existsSync, lstatSync, mkdirSync, readlinkSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cell, isRoot, judge, lacks, scratch, shell, together } from './lib.mjs';

/** Docker's default profile: in Debian, golang-github-docker-docker-dev has the source of the one that is built in. */
const DOCKER = '/usr/share/gocode/src/github.com/docker/docker/profiles/seccomp/default.json';
const SHOWN = ['/usr', '/etc'];
const TOP_LINKS = ['bin', 'sbin', 'lib', 'lib64'];

/** A root directory with the mount points of a container; once made it stays for the run. */
function rootDirectory() {
  const root = join(scratch(), 'root');
  if (existsSync(root)) return root;
  mkdirSync(root);
  for (const name of ['usr', 'etc', 'proc', 'sys', 'dev', 'tmp', 'var', 'var/tmp'])
    mkdirSync(join(root, name));
  for (const name of ['tmp', 'var/tmp']) chmodSync(join(root, name), 0o1777);
  for (const name of TOP_LINKS)
    if (existsSync(`/${name}`) && lstatSync(`/${name}`).isSymbolicLink())
      symlinkSync(readlinkSync(`/${name}`), join(root, name));
  return root;
}

/** Directories of the host that the container sees: with this Node.js, where it is not in /usr. */
function shown() {
  const node = dirname(dirname(process.execPath));
  return [...SHOWN, scratch(), ...(node.startsWith('/usr') ? [] : [node])];
}

/**
 * `podman run` with these flags. Nothing of it is left: its state is in our folder. The limits are those that it may set
 * without CAP_SYS_RESOURCE, and crun takes no mixture of cgroup versions.
 */
function podman(name, flags, options = {}) {
  const dir = join(scratch(), 'podman');
  const volumes = () =>
    shown()
      .map((path) => `-v ${path}:${path}:ro`)
      .join(' ');
  const start = `podman --root ${dir}/root --runroot ${dir}/run --tmpdir ${dir}/tmp --storage-driver=vfs --cgroup-manager=cgroupfs run --rm --network=none --cgroups=disabled --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 -e PATH="$PATH"`;
  const text = `unshare -m sh -c 'umount /sys/fs/cgroup/unified 2> /dev/null; ${start} ${volumes()} ${flags} --rootfs ${rootDirectory()} vedette do -- uname -a'`;
  return {
    name,
    command: `podman run ${flags} --network=none --cgroups=disabled -v /usr:/usr:ro ... --rootfs DIR vedette do -- uname -a`,
    run: () =>
      cell(name, text, {
        needs: () =>
          isRoot
            ? lacks('podman', 'crun', 'unshare')
            : "needs root, to make a root of the host's directories",
        ...options,
      }).run(),
  };
}

const needsDocker = () =>
  (isRoot ? lacks('podman', 'crun', 'unshare') : 'needs root') ??
  (existsSync(DOCKER) ? null : "needs the profile from Debian's golang-github-docker-docker-dev");
const ERRNO = { EPERM: 1, ENOSYS: 38 };
/** These calls fail with the error. */
const without = (calls, errno, options = {}) =>
  cell(
    `${calls.join(' and ')}: ${errno}`,
    `seccomp ${calls.map((call) => `${call}=${ERRNO[errno]}`).join(' ')} vedette do -- uname -a`,
    options,
  );
const bwrap = (name, flags) => {
  const text = `bwrap ${flags} --dev-bind / / --proc /proc --unshare-all --die-with-parent vedette do -- uname -a`;
  return cell(name, text, { needs: () => lacks('bwrap') });
};

/** Node.js runs inside; what Vedette needs of a host, its own kernel does not have yet. */
const nested = {
  name: 'inside Vedette itself',
  command: 'vedette do -- vedette do -- uname -a',
  async run() {
    const parts = [];
    for (const platform of ['auto', 'systrap', 'ptrace']) {
      const r = await shell(
        `vedette do -- vedette do --platform=${platform} -- sh ${scratch()}/inside/check.sh $(date +%s)`,
      );
      parts.push([platform, judge(r, /run it outside of Vedette/)]);
    }
    return together(parts);
  },
};

export const cells = [
  podman("podman's default profile", ''),
  podman(
    "podman's default profile, no capabilities, no_new_privs",
    '--cap-drop=all --security-opt=no-new-privileges',
  ),
  podman("podman's default profile, read-only, an ordinary user", '--read-only --user 1234:1234'),
  podman(
    "podman's default profile, its smallest /dev and 64 files",
    '--ulimit nofile=64:64 --read-only --tmpfs /tmp',
  ),
  podman("Docker's default profile", `--security-opt seccomp=${DOCKER}`, { needs: needsDocker }),
  podman(
    "Docker's default profile, no capabilities, no_new_privs, an ordinary user",
    `--security-opt seccomp=${DOCKER} --cap-drop=all --security-opt=no-new-privileges --user 1234:1234`,
    { needs: needsDocker },
  ),
  bwrap('bubblewrap with every namespace of its own', ''),
  bwrap(
    'bubblewrap, as an ordinary user without capabilities',
    '--unshare-user --uid 1234 --gid 1234 --cap-drop ALL',
  ),
  without(['seccomp'], 'EPERM', { refuses: { systrap: /seccomp/ } }),
  without(['seccomp'], 'ENOSYS', { refuses: { systrap: /seccomp/ } }),
  without(['seccomp', 'ptrace'], 'EPERM', {
    refuses: { auto: /seccomp.*ptrace is not allowed/, systrap: /seccomp/, ptrace: /ptrace is not allowed/ },
  }),
  without(['pidfd_open'], 'ENOSYS', { refuses: { systrap: /pidfd_open/ } }),
  without(['pidfd_open'], 'EPERM', { refuses: { systrap: /pidfd_open/ } }),
  without(['close_range'], 'EPERM'),
  without(['close_range'], 'ENOSYS'),
  without(['sched_setaffinity'], 'EPERM'),
  without(['execveat'], 'ENOSYS'),
  without(['memfd_create'], 'ENOSYS', {
    refuses: { auto: /memfd_create/, systrap: /memfd_create/, ptrace: /memfd_create/ },
  }),
  nested,
  cell(
    'vm.memfd_noexec=1',
    "unshare -pf --mount-proc sh -c 'sysctl -qw vm.memfd_noexec=1; vedette do -- uname -a'",
    { needs: memfdNoexec },
  ),
  cell(
    'vm.memfd_noexec=2',
    "unshare -pf --mount-proc sh -c 'sysctl -qw vm.memfd_noexec=2; vedette do -- uname -a'",
    {
      needs: memfdNoexec,
      refuses: { auto: /memfd_noexec/, systrap: /memfd_noexec/, ptrace: /memfd_noexec/ },
    },
  ),
];

/** The setting belongs to the pid namespace: it goes with it. */
function memfdNoexec() {
  if (!existsSync('/proc/sys/vm/memfd_noexec')) return 'this kernel has no such setting';
  return isRoot ? lacks('unshare') : 'only root can set it';
}

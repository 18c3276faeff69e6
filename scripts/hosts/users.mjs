// Who runs it: root, others, nobody with any privilege, and what the host's kernel forbids them.
import { existsSync, readFileSync } from 'node:fs';
import { cell, isRoot, lacks } from './lib.mjs';

const NOBODY = 'setpriv --reuid 65534 --regid 65534 --clear-groups';
const BARE = '--bounding-set=-all --inh-caps=-all --no-new-privs';
const root = () => (isRoot ? null : 'only root can become somebody else');
const SCOPE = '/proc/sys/kernel/yama/ptrace_scope';
const yama = existsSync(SCOPE) ? readFileSync(SCOPE, 'utf8').trim() : null;

/** With Yama its scope is set, and put back; the last scope cannot be left without a reboot. */
function yamaCell(scope) {
  const set = 'sysctl -qw kernel.yama.ptrace_scope';
  return cell(`yama.ptrace_scope ${scope}`, `${set}=${scope}; vedette do -- uname -a; ${set}=${yama ?? 1}`, {
    needs: () => {
      if (yama === null)
        return 'this kernel has no Yama; what scope 3 does is simulated in "ptrace fails with EPERM", 0 to 2 let a process trace its children';
      return scope === 3
        ? 'cannot be undone without a reboot; simulated in "ptrace fails with EPERM"'
        : root();
    },
  });
}

export const cells = [
  cell('as root', 'vedette do -- uname -a', { needs: () => (isRoot ? null : 'not run as root') }),
  cell('as an ordinary user', `${NOBODY} env HOME=/nonexistent vedette do -- uname -a`, { needs: root }),
  cell('HOME unset', `${NOBODY} env -u HOME vedette do -- uname -a`, { needs: root }),
  cell('HOME that nobody can write', 'HOME=/proc XDG_CACHE_HOME=/proc/none vedette do -- uname -a'),
  cell('an empty environment but for PATH', 'env -i PATH="$PATH" vedette do -- uname -a'),
  cell('no capabilities and no_new_privs', `setpriv ${BARE} vedette do -- uname -a`, {
    needs: () => root() ?? lacks('setpriv'),
  }),
  cell('an ordinary user with no_new_privs', `${NOBODY} ${BARE} vedette do -- uname -a`, { needs: root }),
  cell(
    'no user namespaces',
    `unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_user_namespaces; vedette do -- uname -a'`,
    { needs: () => lacks('unshare') },
  ),
  cell('root of a user namespace', 'unshare -Ur vedette do -- uname -a', { needs: () => lacks('unshare') }),
  cell('a pid namespace of its own', 'unshare -Urpf --mount-proc vedette do -- uname -a', {
    needs: () => lacks('unshare'),
  }),
  cell('a pid namespace with the /proc of another', 'unshare -Urpf vedette do -- uname -a', {
    needs: () => lacks('unshare'),
  }),
  ...[0, 1, 2, 3].map(yamaCell),
  cell('ptrace fails with EPERM', 'seccomp ptrace=1 vedette do -- uname -a', {
    refuses: { ptrace: /ptrace/ },
  }),
];

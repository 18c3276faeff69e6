// What of the usual file systems is missing or cannot be written. Each in a mount namespace of its own; nothing is removed
// from a file system that others see, only covered.
import { cell, isRoot, judge, lacks, scratch, shell, vedette } from './lib.mjs';

const MOUNTS = isRoot ? 'unshare -m' : 'unshare -Urm';

const mounts = (name, steps, options = {}) =>
  cell(name, `${MOUNTS} sh -c '${steps}; vedette do -- uname -a'`, {
    needs: () => lacks('unshare'),
    ...options,
  });
const cover = (path, options = 'mode=755') => `mount -t tmpfs -o ${options} none ${path}`;

/** A /dev with these entries only. */
const dev = (...names) =>
  `d=$(mktemp -d) && ${cover('$d')} && ${names.map((n) => `: > $d/${n} && mount --bind /dev/${n} $d/${n}`).join(' && ')} && mount --rbind $d /dev`;

export const cells = [
  mounts('read-only root', 'mount -o remount,bind,ro /'),
  mounts(
    'read-only root and /tmp, nothing can be written',
    `mount -o remount,bind,ro / && ${cover('/dev/shm', 'ro')}`,
  ),
  mounts('no /proc', cover('/proc')),
  mounts('no /sys', cover('/sys')),
  mounts('no /proc and no /sys', `${cover('/proc')}; ${cover('/sys')}`),
  mounts('/proc of hidepid=2', 'mount -t proc -o hidepid=2 none /proc', {
    needs: () => (isRoot ? lacks('unshare') : 'only root can mount it'),
  }),
  mounts('no /dev/shm', cover('/dev/shm', 'ro,mode=0')),
  mounts('noexec /tmp', 'mount --bind /tmp /tmp && mount -o remount,bind,noexec /tmp'),
  {
    name: 'the program on a noexec mount',
    command: 'vedette do -- /mnt/noexec/program',
    run: () =>
      cell(
        '',
        `${MOUNTS} sh -c 'mount --bind ${scratch()}/inside ${scratch()}/inside && mount -o remount,bind,noexec ${scratch()}/inside; vedette do -- uname -a'`,
      ).run(),
  },
  {
    name: 'the package on a noexec mount',
    command: 'node /mnt/noexec/node_modules/vedette/dist/vedette.cjs do -- uname -a',
    run: async () => {
      const text = `${MOUNTS} sh -c 'mount --bind ${scratch()} ${scratch()} && mount -o remount,bind,noexec ${scratch()} && node ${vedette()} do -- uname -a'`;
      return judge(await shell(text), /noexec/);
    },
  },
  mounts('/dev with null and zero only', dev('null', 'zero')),
  mounts('/dev with nothing in it', cover('/dev')),
];

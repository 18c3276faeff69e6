// Small resource limits: setrlimit(2), by ulimit and prlimit.
import { cell, isRoot, lacks } from './lib.mjs';

/** Every run under a user of its own: processes of other runs that nobody has reaped yet would count. */
const somebody = () => 100_000 + (process.pid % 100_000) + uid++;
let uid = 0;
/** Each platform by itself, as a user with so many processes and threads. */
const processes = (n, platform, options) =>
  cell(
    `${n} processes and threads, ${platform}`,
    `setpriv --reuid ${somebody()} --regid 65534 --clear-groups prlimit --nproc=${n} vedette do -- uname -a`,
    {
      platforms: [platform],
      needs: () => (isRoot ? lacks('setpriv', 'prlimit') : 'only root can become somebody else'),
      ...options,
    },
  );

export const cells = [
  cell('64 open files', 'ulimit -n 64; vedette do -- uname -a'),
  cell('48 open files', 'ulimit -n 48; vedette do -- uname -a'),
  cell('40 open files', 'ulimit -n 40; vedette do -- uname -a', {
    refuses: { auto: /ulimit -n/, systrap: /ulimit -n/, ptrace: /ulimit -n/ },
  }),
  cell('a soft limit of 64 open files', 'ulimit -S -n 64; vedette do -- uname -a'),
  cell('no locked memory', 'ulimit -l 0; vedette do -- uname -a'),
  cell('a stack of 256 KiB', 'ulimit -s 256; vedette do -- uname -a'),
  cell('a stack without limit', 'ulimit -s unlimited; vedette do -- uname -a'),
  cell('no core dumps', 'ulimit -c 0; vedette do -- uname -a'),
  cell('no file may be written', 'ulimit -f 0; vedette do -- uname -a', {
    refuses: { auto: /ulimit -f/, systrap: /ulimit -f/, ptrace: /ulimit -f/ },
  }),
  cell('files of at most 1 GB', 'ulimit -f 2000000; vedette do -- uname -a'),
  cell('files of at most 100 MB', 'ulimit -f 200000; vedette do -- uname -a'),
  cell('an address space of 2 GB', 'ulimit -v 2000000; vedette do -- uname -a'),
  cell('an address space of 1 GB', 'ulimit -v 1000000; vedette do -- uname -a'),
  cell('an address space of 800 MB', 'ulimit -v 800000; vedette do -- uname -a'),
  cell('an address space of 300 MB', 'ulimit -v 300000; vedette do -- uname -a', {
    refuses: { auto: /ulimit -v/, systrap: /ulimit -v/, ptrace: /ulimit -v/ },
  }),
  processes(24, 'systrap'),
  processes(24, 'ptrace'),
  processes(5, 'systrap', { refuses: { systrap: /ulimit -u/ } }),
  processes(5, 'ptrace', { refuses: { ptrace: /ulimit -u/ } }),
  cell('20 pending signals', 'prlimit --sigpending=20 vedette do -- uname -a', {
    needs: () => lacks('prlimit'),
  }),
  cell('no message queues', 'prlimit --msgqueue=0 vedette do -- uname -a', { needs: () => lacks('prlimit') }),
];

// Small resource limits: setrlimit(2), by ulimit and prlimit.
import { cell, isRoot, lacks } from './lib.mjs';

const NOBODY = isRoot ? 'setpriv --reuid 65534 --regid 65534 --clear-groups ' : '';

export const cells = [
  cell('64 open files', 'ulimit -n 64; vedette do -- uname -a'),
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
  cell('20 pending signals', 'prlimit --sigpending=20 vedette do -- uname -a', { needs: () => lacks('prlimit') }),
  cell('no message queues', 'prlimit --msgqueue=0 vedette do -- uname -a', { needs: () => lacks('prlimit') }),
];

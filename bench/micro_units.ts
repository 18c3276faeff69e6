// The cases of micro/: what one system call, fault or hand-over costs.

import type { Unit } from './units.ts';

/**
 * Times in ms of warming up, of one round; and the number of rounds. V8 takes some 150 ms to compile a path of the kernel
 * for good; shorter programs pay for that, and whole programs show it.
 */
const FULL = ['200', '6', '5'];
const QUICK = ['30', '4', '3'];

function group(name: string, cases: string[]): Unit {
  return {
    name,
    cases,
    needs: [],
    command: ({ programs, scratch, quick }, wanted) => [
      programs.micro,
      scratch,
      ...(quick ? QUICK : FULL),
      ...wanted,
    ],
  };
}

/** Each sample is a sandbox of its own. */
const firstCalls: Unit = {
  name: 'first_calls',
  cases: ['first_calls'],
  needs: [],
  turns: 3,
  command: ({ programs }) => [programs.micro, '--first', '300'],
};

const sizes = (name: string) => ['1', '4k', '64k'].map((size) => `${name}_${size}`);

export const microUnits: readonly Unit[] = [
  group('calls', ['null_call', 'null_call_trapped', 'getppid', 'clock_gettime', 'signal_self']),
  firstCalls,
  group('files', [
    ...sizes('read_zero'),
    ...sizes('write_zero'),
    'read_null_1',
    'write_null_4k',
    ...sizes('pread'),
    ...sizes('pwrite'),
    'stat',
    'open_close',
    'create_unlink',
  ]),
  group('mappings', ['mmap_munmap', 'touch_8m', 'map_file']),
  group('waits', [
    'pipe_self',
    'eventfd_self',
    'epoll_ready',
    'pipe_pingpong',
    'unix_pingpong',
    'thread_create_join',
    'futex_pingpong',
  ]),
  group('network', ['tcp_pingpong', 'tcp_stream_64k', 'tcp_connect_close', 'udp_pingpong']),
  group('processes', ['fork_exit_wait', 'fork_exec_wait', 'vfork_exec_wait']),
];

// Parts of strace text that several decoders share: signal sets, siginfo, wait statuses, socket addresses.

import {
  decodeSockaddrIn,
  decodeSockaddrIn6,
  SIZEOF_SOCKADDR_IN,
  SIZEOF_SOCKADDR_IN6,
} from '../../abi/net/in.ts';
import { AF_INET, AF_INET6, AF_UNIX } from '../../abi/net/socket.ts';
import type { Siginfo } from '../../abi/signal/siginfo.ts';
import {
  SIL_CHLD,
  SIL_KILL,
  SIL_POLL,
  SIL_RT,
  SIL_SYS,
  SIL_TIMER,
  siginfoLayout,
} from '../../abi/signal/siginfo.ts';
import * as signal from '../../abi/signal/signal.ts';
import type { Task } from '../kernel/task/task.ts';
import { escapeBytes, hexText } from '../syscalls/arg_text.ts';

/** More signals than this are shown by those that are missing. */
const HALF = 32;

/** A sigset as strace shows it: [INT TERM], or ~[...] when most are in it. */
export function signalSetText(lo: number, hi: number): string {
  const has = (sig: number): boolean => (sig <= 32 ? (lo >>> (sig - 1)) & 1 : (hi >>> (sig - 33)) & 1) === 1;
  let count = 0;
  for (let sig = 1; sig <= 64; sig++) if (has(sig)) count++;
  const inverted = count > HALF;
  const names: string[] = [];
  for (let sig = 1; sig <= 64; sig++) if (has(sig) !== inverted) names.push(signal.signalName(sig).slice(3));
  return `${inverted ? '~' : ''}[${names.join(' ')}]`;
}

function codeName(signo: number, code: number): string {
  const prefix: Readonly<Record<number, string>> = {
    [signal.SIGCHLD]: 'CLD_',
    [signal.SIGSEGV]: 'SEGV_',
    [signal.SIGBUS]: 'BUS_',
    [signal.SIGFPE]: 'FPE_',
    [signal.SIGILL]: 'ILL_',
    [signal.SIGTRAP]: 'TRAP_',
    [signal.SIGSYS]: 'SYS_',
  };
  const own = code > 0 && code < 0x80 ? prefix[signo] : 'SI_';
  if (own === undefined) return String(code);
  const exact = own === 'SI_' ? /^SI_[A-Z]+$/ : new RegExp(`^${own}[A-Z]+$`);
  for (const [name, value] of Object.entries(signal)) if (value === code && exact.test(name)) return name;
  return String(code);
}

/** siginfo_t: the fields that its signal and code give a meaning. */
export function siginfoText(s: Siginfo): string {
  const head = `{si_signo=${signal.signalName(s.signo)}, si_code=${codeName(s.signo, s.code)}`;
  switch (siginfoLayout(s.signo, s.code)) {
    case SIL_KILL:
      return s.code === signal.SI_KERNEL ? `${head}}` : `${head}, si_pid=${s.pid}, si_uid=${s.uid}}`;
    case SIL_RT:
      return `${head}, si_pid=${s.pid}, si_uid=${s.uid}, si_int=${s.valueLo | 0}}`;
    case SIL_CHLD: {
      const status = s.code === 1 ? s.status : signal.signalName(s.status);
      return `${head}, si_pid=${s.pid}, si_uid=${s.uid}, si_status=${status}, si_utime=${s.utime}, si_stime=${s.stime}}`;
    }
    case SIL_TIMER:
      return `${head}, si_timerid=${s.timerid}, si_overrun=${s.overrun}, si_int=${s.valueLo | 0}}`;
    case SIL_POLL:
      return `${head}, si_band=${s.band}, si_fd=${s.fd}}`;
    case SIL_SYS:
      return `${head}, si_call_addr=${hexText(s.addr)}, si_syscall=${s.syscall}}`;
    default:
      return `${head}, si_addr=${hexText(s.addr)}}`;
  }
}

/** A wait status in terms of the W* macros. */
export function waitStatusText(status: number): string {
  const sig = status & 0x7f;
  if (status === 0xffff) return '{WIFCONTINUED(s)}';
  if ((status & 0xff) === 0x7f)
    return `{WIFSTOPPED(s) && WSTOPSIG(s) == ${signal.signalName((status >> 8) & 0xff)}}`;
  if (sig === 0) return `{WIFEXITED(s) && WEXITSTATUS(s) == ${(status >> 8) & 0xff}}`;
  const core = (status & 0x80) !== 0 ? ' && WCOREDUMP(s)' : '';
  return `{WIFSIGNALED(s) && WTERMSIG(s) == ${signal.signalName(sig)}${core}}`;
}

const address = new Uint8Array(128);
const addressView = new DataView(address.buffer);

/** A socket address of `len` bytes in guest memory. */
export function sockaddrText(t: Task, addr: number, len: number): string {
  const n = Math.min(len, address.length);
  if (n < 2 || t.mem.copyIn(addr, address, 0, n) !== n) return hexText(addr);
  const family = addressView.getUint16(0, true);
  if (family === AF_UNIX) {
    const isAbstract = n > 2 && address[2] === 0;
    const nul = isAbstract ? n : address.indexOf(0, 2);
    const end = nul < 0 || nul > n ? n : nul;
    const name = escapeBytes(address, isAbstract ? 3 : 2, end);
    return n === 2
      ? '{sa_family=AF_UNIX}'
      : `{sa_family=AF_UNIX, sun_path=${isAbstract ? '@' : ''}"${name}"}`;
  }
  if (family === AF_INET && n >= SIZEOF_SOCKADDR_IN) {
    const a = decodeSockaddrIn(addressView, 0);
    return `{sa_family=AF_INET, sin_port=htons(${a.port}), sin_addr=inet_addr("${Array.from(address.subarray(4, 8)).join('.')}")}`;
  }
  if (family === AF_INET6 && n >= SIZEOF_SOCKADDR_IN6) {
    const a = decodeSockaddrIn6(addressView, 0);
    const words = Array.from({ length: 8 }, (_, i) => addressView.getUint16(8 + 2 * i, false).toString(16));
    return `{sa_family=AF_INET6, sin6_port=htons(${a.port}), sin6_addr="${words.join(':')}"}`;
  }
  return `{sa_family=${family}, sa_data="${escapeBytes(address, 2, n)}"}`;
}

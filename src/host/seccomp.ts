// seccomp(2) filters: an assembler for the classic BPF that they are written in. Jumps go to labels, forwards only.
//
//   new BpfProgram().loadNr().jeq(SYS_read, 'allow').ret(SECCOMP_RET_TRAP).label('allow').ret(SECCOMP_RET_ALLOW)

import { errnoName } from '../abi/errno.ts';
import {
  BPF_ABS,
  BPF_ADD,
  BPF_ALU,
  BPF_AND,
  BPF_JA,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JMP,
  BPF_JSET,
  BPF_K,
  BPF_LD,
  BPF_MAXINSNS,
  BPF_MISC,
  BPF_RET,
  BPF_SUB,
  BPF_TAX,
  BPF_W,
  BPF_X,
  encodeSockFilter,
  encodeSockFprog,
  SIZEOF_SOCK_FILTER,
  SIZEOF_SOCK_FPROG,
} from '../abi/process/bpf_filter.ts';
import { PR_SET_NO_NEW_PRIVS } from '../abi/process/prctl.ts';
import {
  SECCOMP_DATA_ARCH,
  SECCOMP_DATA_ARGS,
  SECCOMP_DATA_INSTRUCTION_POINTER,
  SECCOMP_DATA_NR,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_SET_MODE_FILTER,
} from '../abi/process/seccomp.ts';
import { SYS_prctl, SYS_seccomp } from '../abi/syscall.ts';
import { HostBuffer } from './buffer.ts';
import { hostCall } from './syscall.ts';

interface Insn {
  readonly code: number;
  readonly k: number;
  /** Where a comparison goes when it holds, and when not; null is the next instruction. */
  readonly jt: string | null;
  readonly jf: string | null;
}

export class BpfProgram {
  private readonly insns: Insn[] = [];
  private readonly labels = new Map<string, number>();

  label(name: string): this {
    if (this.labels.has(name)) throw new Error(`BPF label ${name} is defined twice`);
    this.labels.set(name, this.insns.length);
    return this;
  }

  /** The system call number into the accumulator. */
  loadNr(): this {
    return this.load(SECCOMP_DATA_NR);
  }

  /** The AUDIT_ARCH_* value. */
  loadArch(): this {
    return this.load(SECCOMP_DATA_ARCH);
  }

  /** The address after the system call instruction. */
  loadIpLow(): this {
    return this.load(SECCOMP_DATA_INSTRUCTION_POINTER);
  }

  loadIpHigh(): this {
    return this.load(SECCOMP_DATA_INSTRUCTION_POINTER + 4);
  }

  /** The low half of argument `n`. */
  loadArgLow(n: number): this {
    return this.load(SECCOMP_DATA_ARGS + 8 * n);
  }

  loadArgHigh(n: number): this {
    return this.load(SECCOMP_DATA_ARGS + 8 * n + 4);
  }

  jeq(k: number, jt: string | null, jf: string | null = null): this {
    return this.push(BPF_JMP | BPF_JEQ | BPF_K, k, jt, jf);
  }

  /** Unsigned. */
  jge(k: number, jt: string | null, jf: string | null = null): this {
    return this.push(BPF_JMP | BPF_JGE | BPF_K, k, jt, jf);
  }

  /** Unsigned. */
  jgt(k: number, jt: string | null, jf: string | null = null): this {
    return this.push(BPF_JMP | BPF_JGT | BPF_K, k, jt, jf);
  }

  /** Any bit of `k` set. */
  jset(k: number, jt: string | null, jf: string | null = null): this {
    return this.push(BPF_JMP | BPF_JSET | BPF_K, k, jt, jf);
  }

  and(k: number): this {
    return this.push(BPF_ALU | BPF_AND | BPF_K, k, null, null);
  }

  /** Modulo 2^32, as all arithmetic here. */
  sub(k: number): this {
    return this.push(BPF_ALU | BPF_SUB | BPF_K, k, null, null);
  }

  /** Keeps the accumulator for addKept(). */
  keep(): this {
    return this.push(BPF_MISC | BPF_TAX, 0, null, null);
  }

  addKept(): this {
    return this.push(BPF_ALU | BPF_ADD | BPF_X, 0, null, null);
  }

  jmp(to: string): this {
    return this.push(BPF_JMP | BPF_JA, 0, to, null);
  }

  ret(action: number): this {
    return this.push(BPF_RET | BPF_K, action, null, null);
  }

  get length(): number {
    return this.insns.length;
  }

  /** The array of struct sock_filter. */
  finish(): Uint8Array {
    if (this.insns.length > BPF_MAXINSNS) throw new RangeError('BPF program too long');
    const out = new Uint8Array(this.insns.length * SIZEOF_SOCK_FILTER);
    const view = new DataView(out.buffer);
    this.insns.forEach((insn, i) => {
      const always = insn.code === (BPF_JMP | BPF_JA);
      encodeSockFilter(view, i * SIZEOF_SOCK_FILTER, {
        code: insn.code,
        jt: always ? 0 : this.distance(insn.jt, i, 255),
        jf: always ? 0 : this.distance(insn.jf, i, 255),
        k: always ? this.distance(insn.jt, i, BPF_MAXINSNS) : insn.k >>> 0,
      });
    });
    return out;
  }

  private load(off: number): this {
    return this.push(BPF_LD | BPF_W | BPF_ABS, off, null, null);
  }

  private push(code: number, k: number, jt: string | null, jf: string | null): this {
    this.insns.push({ code, k, jt, jf });
    return this;
  }

  private distance(label: string | null, from: number, max: number): number {
    if (label === null) return 0;
    const to = this.labels.get(label);
    if (to === undefined) throw new Error(`undefined BPF label ${label}`);
    const d = to - from - 1;
    if (d < 0 || d > max) throw new RangeError(`BPF label ${label} is out of reach`);
    return d;
  }
}

/**
 * Puts every thread of this process under a filter, for good, and denies it privileges of programs that it might start
 * (PR_SET_NO_NEW_PRIVS). Throws when the host does not do it.
 */
export function installFilter(program: BpfProgram): void {
  const bytes = program.finish();
  const code = HostBuffer.alloc(bytes.length);
  code.u8.set(bytes);
  const prog = HostBuffer.alloc(SIZEOF_SOCK_FPROG);
  encodeSockFprog(prog.view, 0, { len: bytes.length / SIZEOF_SOCK_FILTER, filter: code.addr });
  let r = hostCall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (r === 0) r = hostCall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, prog.addr);
  if (r !== 0) throw new Error(r < 0 ? errnoName(-r) : `thread ${r} has a filter of its own`);
}

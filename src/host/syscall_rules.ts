// Which system calls of the host a process may make, and with which arguments: rules that are OR'ed per number, merged from
// the parts that need them, and compiled to a seccomp(2) filter. What the rules say of a call can also be asked here, which
// is what tests hold the filter against.

import { AUDIT_ARCH_X86_64 } from '../abi/process/audit.ts';
import { BpfProgram } from './seccomp.ts';

const TWO32 = 2 ** 32;
/** Numbers of x32, which the 64-bit table does not have. */
const X32 = 0x4000_0000;
/** Numbers per leaf of the search. */
const LEAF = 4;

/** A condition on one argument. */
export type Match =
  /** The low half is this, as a call sees an argument of type int. */
  | { readonly kind: 'int'; readonly value: number }
  /** These bits of the low half are as in `value`. */
  | { readonly kind: 'bits'; readonly mask: number; readonly value: number }
  /** A piece of memory that begins here, as long as argument `length` says, lies within `size` bytes from `from`. */
  | { readonly kind: 'within'; readonly from: number; readonly size: number; readonly length: number };

/** The low half equals `value`. */
export function int(value: number): Match {
  return { kind: 'int', value: value >>> 0 };
}

/** Of the low half, the bits of `mask` are those of `value`. */
export function bits(mask: number, value = 0): Match {
  return { kind: 'bits', mask: mask >>> 0, value: value >>> 0 };
}

/** An address such that it and the argument `length` bytes after it lie within; `size` below 2 GiB, and in one 4 GiB. */
export function within(from: number, size: number, length: number): Match {
  if (size >= TWO32 / 2 || Math.floor(from / TWO32) !== Math.floor((from + size) / TWO32))
    throw new RangeError('within: the range crosses 4 GiB');
  return { kind: 'within', from, size, length };
}

/** Conditions on the arguments, by place; all must hold. */
export type Rule = readonly (Match | undefined)[];

/** Why somebody needs a call, for people. */
export interface Allowed {
  readonly nr: number;
  readonly rule: Rule;
  readonly why: string;
}

function holds(m: Match, args: readonly bigint[], at: number): boolean {
  const low = Number(BigInt.asUintN(32, args[at]!));
  switch (m.kind) {
    case 'int':
      return low === m.value;
    case 'bits':
      return (low & m.mask) >>> 0 === m.value;
    case 'within': {
      const from = BigInt.asUintN(64, args[at]!);
      const length = BigInt.asUintN(64, args[m.length]!);
      return from >= BigInt(m.from) && from + length <= BigInt(m.from + m.size);
    }
  }
}

export class SyscallRules {
  private readonly byNr = new Map<number, Rule[]>();

  /** One more way in which `nr` may be called; without conditions with any arguments. */
  allow(nr: number, rule: Rule = []): this {
    const rules = this.byNr.get(nr);
    if (rules === undefined) this.byNr.set(nr, [rule]);
    else rules.push(rule);
    return this;
  }

  merge(rows: readonly Allowed[]): this {
    for (const { nr, rule } of rows) this.allow(nr, rule);
    return this;
  }

  get numbers(): number[] {
    return [...this.byNr.keys()].sort((a, b) => a - b);
  }

  /** True when the arguments do not matter. */
  isFree(nr: number): boolean {
    return this.byNr.get(nr)?.some((rule) => rule.every((m) => m === undefined)) ?? false;
  }

  /** What the filter must say of a call. */
  allows(nr: number, args: readonly bigint[]): boolean {
    return (
      this.byNr.get(nr)?.some((rule) => rule.every((m, at) => m === undefined || holds(m, args, at))) ?? false
    );
  }

  /** The filter: `allow` and `deny` are SECCOMP_RET_*, `other` is for numbers that no rule names. */
  compile(allow: number, deny: number, other: number = deny): BpfProgram {
    const p = new BpfProgram().loadArch().jeq(AUDIT_ARCH_X86_64, 'ours').ret(deny).label('ours').loadNr();
    p.jge(X32, null, 'native').ret(deny).label('native');
    const { numbers } = this;
    const search = (from: number, to: number) => {
      if (to - from > LEAF) {
        const mid = (from + to) >> 1;
        // Halves are longer than a conditional jump reaches.
        p.jge(numbers[mid]!, null, `low ${mid}`).jmp(`high ${mid}`).label(`low ${mid}`);
        search(from, mid);
        p.label(`high ${mid}`);
        search(mid, to);
        return;
      }
      for (let i = from; i < to; i++) {
        const nr = numbers[i]!;
        p.jeq(nr, null, `not ${nr}`);
        if (this.isFree(nr)) p.ret(allow);
        else p.jmp(`call ${nr}`);
        p.label(`not ${nr}`);
      }
      p.ret(other);
    };
    search(0, numbers.length);
    for (const nr of numbers) if (!this.isFree(nr)) this.check(p, nr, allow, deny);
    return p;
  }

  private check(p: BpfProgram, nr: number, allow: number, deny: number): void {
    p.label(`call ${nr}`);
    this.byNr.get(nr)!.forEach((rule, i) => {
      const next = `call ${nr} not ${i}`;
      rule.forEach((m, at) => {
        if (m !== undefined) match(p, m, at, next);
      });
      p.ret(allow).label(next);
    });
    p.ret(deny);
  }
}

/** Goes on when the condition holds, else to `next`. */
function match(p: BpfProgram, m: Match, at: number, next: string): void {
  switch (m.kind) {
    case 'int':
      p.loadArgLow(at).jeq(m.value, null, next);
      return;
    case 'bits':
      p.loadArgLow(at).and(m.mask).jeq(m.value, null, next);
      return;
    case 'within':
      p.loadArgHigh(at)
        .jeq(Math.floor(m.from / TWO32), null, next)
        .loadArgHigh(m.length)
        .jeq(0, null, next);
      // Distance from the start, then that and the length: neither is above 2^31, so the sum does not wrap.
      p.loadArgLow(m.length).jgt(m.size, next);
      p.loadArgLow(at)
        .sub(m.from % TWO32)
        .jgt(m.size, next)
        .keep();
      p.loadArgLow(m.length).addKept().jgt(m.size, next);
  }
}

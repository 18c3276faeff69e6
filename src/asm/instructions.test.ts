import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONDITIONS, type Condition } from './conditions.ts';
import { disassemble, expectText } from './disassemble.test.helper.ts';
import type { Code } from './encode.ts';
import * as instructions from './instructions.ts';
import {
  AL,
  AX,
  byte,
  CL,
  CX,
  dword,
  EAX,
  EBX,
  ECX,
  gs,
  imm,
  mem,
  qword,
  R8,
  R8D,
  R9,
  R9B,
  R10,
  R13,
  R15,
  RAX,
  RBX,
  RCX,
  RDI,
  RDX,
  RSI,
  SIL,
  word,
  XMM0,
  XMM1,
  XMM9,
  XMM15,
} from './operands.ts';

const used = new Set<string>();

/** The encoders, noting which ones a test has called. */
const i: typeof instructions = new Proxy(
  { ...instructions },
  {
    get(target, name: string) {
      used.add(name);
      return target[name as keyof typeof target];
    },
  },
);

const M = mem(R13, 16, RCX, 4);
const AT = '[r13+rcx*4+16]';

function expectRows(rows: readonly (readonly [Code, string])[]): void {
  for (const [code, text] of rows) expectText(code, text);
}

test('mov and its relatives', () => {
  expectRows([
    [i.mov(RAX, imm(60)), 'mov eax,60'],
    [i.mov(R8, imm(-1)), 'mov r8,-1'],
    [i.mov(RAX, imm(0x7fff_8000_0000)), 'mov rax,140735340871680'],
    [i.mov(R8D, imm(5)), 'mov r8d,5'],
    [i.mov(AX, imm(-2)), 'mov ax,-2'],
    [i.mov(R9B, imm(255)), 'mov r9b,-1'],
    [i.mov(qword(M), imm(-5)), `mov qword ptr ${AT},-5`],
    [i.mov(dword(M), imm(5)), `mov dword ptr ${AT},5`],
    [i.mov(word(M), imm(5)), `mov word ptr ${AT},5`],
    [i.mov(byte(M), imm(5)), `mov byte ptr ${AT},5`],
    [i.movabs(R10, imm(1)), 'mov r10,1'],
    [i.movzx(EAX, SIL), 'movzx eax,sil'],
    [i.movzx(AX, AL), 'movzx ax,al'],
    [i.movzx(RAX, CX), 'movzx rax,cx'],
    [i.movzx(EAX, byte(M)), `movzx eax,byte ptr ${AT}`],
    [i.movzx(R8, word(M)), `movzx r8,word ptr ${AT}`],
    [i.movsx(EAX, CX), 'movsx eax,cx'],
    [i.movsx(R8, byte(M)), `movsx r8,byte ptr ${AT}`],
    [i.movsxd(RAX, ECX), 'movsxd rax,ecx'],
    [i.movsxd(RAX, M), `movsxd rax,dword ptr ${AT}`],
    [i.lea(EAX, M), `lea eax,${AT}`],
    [i.push(imm(-1)), 'push -1'],
    [i.push(imm(0x1234)), 'push 4660'],
    [i.push(M), `push qword ptr ${AT}`],
    [i.pop(M), `pop qword ptr ${AT}`],
    [i.xchg(RAX, R9), 'xchg rax,r9'],
    [i.xchg(M, ECX), `xchg dword ptr ${AT},ecx`],
    [i.xchg(M, SIL), `xchg byte ptr ${AT},sil`],
    [i.bswap(EAX), 'bswap eax'],
  ]);
});

test('the two-operand instructions in every form', () => {
  for (const name of ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp'] as const) {
    const op = i[name];
    expectRows([
      [op(RAX, R9), `${name} rax,r9`],
      [op(R8D, EBX), `${name} r8d,ebx`],
      [op(AX, CX), `${name} ax,cx`],
      [op(SIL, R9B), `${name} sil,r9b`],
      [op(R15, M), `${name} r15,qword ptr ${AT}`],
      [op(M, R15), `${name} qword ptr ${AT},r15`],
      [op(EBX, M), `${name} ebx,dword ptr ${AT}`],
      [op(M, EBX), `${name} dword ptr ${AT},ebx`],
      [op(CL, M), `${name} cl,byte ptr ${AT}`],
      [op(M, SIL), `${name} byte ptr ${AT},sil`],
      [op(RAX, imm(-128)), `${name} rax,-128`],
      [op(RAX, imm(128)), `${name} rax,128`],
      [op(RAX, imm(0xffff_ffff_ffff_f000n)), `${name} rax,-4096`],
      [op(ECX, imm(0x8000_0000)), `${name} ecx,-2147483648`],
      [op(CX, imm(1000)), `${name} cx,1000`],
      [op(CL, imm(200)), `${name} cl,-56`],
      [op(qword(M), imm(1000)), `${name} qword ptr ${AT},1000`],
      [op(dword(M), imm(1)), `${name} dword ptr ${AT},1`],
      [op(word(M), imm(1000)), `${name} word ptr ${AT},1000`],
      [op(byte(M), imm(1)), `${name} byte ptr ${AT},1`],
    ]);
  }
  expectRows([
    [i.test(RAX, R9), 'test rax,r9'],
    [i.test(M, ECX), `test dword ptr ${AT},ecx`],
    [i.test(RAX, imm(-4096)), 'test rax,-4096'],
    [i.test(byte(M), imm(1)), `test byte ptr ${AT},1`],
    [i.test(dword(M), imm(1)), `test dword ptr ${AT},1`],
  ]);
});

test('the one-operand instructions', () => {
  for (const name of ['inc', 'dec', 'neg', 'not', 'mul', 'div', 'idiv'] as const) {
    expectRows([
      [i[name](R9), `${name} r9`],
      [i[name](ECX), `${name} ecx`],
      [i[name](SIL), `${name} sil`],
      [i[name](qword(M)), `${name} qword ptr ${AT}`],
      [i[name](dword(M)), `${name} dword ptr ${AT}`],
      [i[name](byte(M)), `${name} byte ptr ${AT}`],
    ]);
  }
});

test('shifts, multiplication and bits', () => {
  for (const name of ['rol', 'ror', 'shl', 'shr', 'sar'] as const) {
    expectRows([
      [i[name](R9, imm(63)), `${name} r9,63`],
      [i[name](EAX, imm(1)), `${name} eax,1`],
      [i[name](RAX, CL), `${name} rax,cl`],
      [i[name](dword(M), imm(3)), `${name} dword ptr ${AT},3`],
      [i[name](byte(M), CL), `${name} byte ptr ${AT},cl`],
    ]);
  }
  expectRows([
    [i.imul(RAX, R9), 'imul rax,r9'],
    [i.imul(ECX, M), `imul ecx,dword ptr ${AT}`],
    [i.imul(RAX, R9, imm(-3)), 'imul rax,r9,-3'],
    [i.imul(RAX, M, imm(1000)), `imul rax,qword ptr ${AT},1000`],
    [i.bsf(RAX, R9), 'bsf rax,r9'],
    [i.bsr(ECX, M), `bsr ecx,dword ptr ${AT}`],
    [i.popcnt(R8, RCX), 'popcnt r8,rcx'],
    [i.rorx(RCX, R9, 27), 'rorx rcx,r9,27'],
    [i.rorx(R13, RDX, 63), 'rorx r13,rdx,63'],
    [i.popcnt(EAX, M), `popcnt eax,dword ptr ${AT}`],
  ]);
  for (const name of ['bt', 'bts', 'btr'] as const) {
    expectRows([
      [i[name](RAX, R9), `${name} rax,r9`],
      [i[name](RAX, imm(63)), `${name} rax,63`],
      [i[name](M, ECX), `${name} dword ptr ${AT},ecx`],
      [i[name](qword(M), imm(40)), `${name} qword ptr ${AT},40`],
    ]);
  }
});

test('atomic operations and fences', () => {
  expectRows([
    [i.lockCmpxchg(M, RDX), `lock cmpxchg qword ptr ${AT},rdx`],
    [i.lockCmpxchg(M, R8D), `lock cmpxchg dword ptr ${AT},r8d`],
    [i.lockXadd(M, RAX), `lock xadd qword ptr ${AT},rax`],
    [i.lockXadd(M, EAX), `lock xadd dword ptr ${AT},eax`],
    [i.lockAdd(M, EAX), `lock add dword ptr ${AT},eax`],
    [i.lockSub(dword(M), imm(4)), `lock sub dword ptr ${AT},4`],
    [i.lockOr(dword(M), imm(4)), `lock or dword ptr ${AT},4`],
    [i.lockOr(M, R9), `lock or qword ptr ${AT},r9`],
    [i.lockAnd(dword(M), imm(-5)), `lock and dword ptr ${AT},-5`],
    [i.lockInc(dword(M)), `lock inc dword ptr ${AT}`],
    [i.lockDec(qword(gs(mem(RAX)))), 'lock dec qword ptr gs:[rax]'],
    [i.lockBts(dword(M), imm(0)), `lock bts dword ptr ${AT},0`],
    [i.lockBtr(M, RAX), `lock btr qword ptr ${AT},rax`],
    [i.mfence(), 'mfence'],
    [i.lfence(), 'lfence'],
    [i.sfence(), 'sfence'],
    [i.pause(), 'pause'],
  ]);
});

test('branches', () => {
  expectRows([
    [i.jmp('x'), 'jmp 5'],
    [i.jmpShort('x'), 'jmp short 2'],
    [i.jmp(M), `jmp qword ptr ${AT}`],
    [i.call('x'), 'call 5'],
    [i.call(M), `call qword ptr ${AT}`],
    [i.ret(), 'ret'],
    [i.retfq(), 'data64 ret far'],
    [i.leave(), 'leave'],
    [i.endbr64(), 'endbr64'],
    [i.int3(), 'int3'],
    [i.int(100), 'int 100'],
    [i.ud2(), 'ud2'],
  ]);
});

/** The one of each group of synonyms that the disassembler prints. */
const PRINTED = [
  'o',
  'no',
  'b',
  'ae',
  'e',
  'ne',
  'be',
  'a',
  's',
  'ns',
  'p',
  'np',
  'l',
  'ge',
  'le',
  'g',
] as const;

test('conditions', () => {
  for (const [condition, code] of Object.entries(CONDITIONS) as [Condition, number][]) {
    const name = PRINTED[code]!;
    expectRows([
      [i.jcc(condition, 'x'), `j${name} 6`],
      [i.jccShort(condition, 'x'), `j${name} short 2`],
      [i.setcc(condition, R9B), `set${name} r9b`],
      [i.setcc(condition, M), `set${name} byte ptr ${AT}`],
      [i.cmovcc(condition, RAX, R9), `cmov${name} rax,r9`],
      [i.cmovcc(condition, ECX, M), `cmov${name} ecx,dword ptr ${AT}`],
    ]);
  }
});

test('nops of every length', () => {
  for (let length = 0; length <= 40; length++) {
    const code = i.nop(length);
    assert.equal(code.bytes.length, length);
    const lines = disassemble(Uint8Array.from(code.bytes));
    assert.equal(lines.length, Math.ceil(length / 9));
    for (const line of lines) assert.match(line, /^(nop|xchg ax,ax)/);
  }
});

test('strings', () => {
  expectRows([
    [i.repMovsb(), 'rep movsb byte ptr [rdi],byte ptr [rsi]'],
    [i.repMovsq(), 'rep movsq qword ptr [rdi],qword ptr [rsi]'],
    [i.repStosb(), 'rep stosb byte ptr [rdi]'],
    [i.repStosq(), 'rep stosq qword ptr [rdi]'],
    [i.cld(), 'cld'],
    [i.lahf(), 'lahf'],
    [i.sahf(), 'sahf'],
    [i.jrcxz('x'), 'jrcxz 2'],
    [i.std(), 'std'],
  ]);
});

test('sse', () => {
  expectRows([
    [i.movups(XMM1, XMM9), 'movups xmm1,xmm9'],
    [i.movaps(XMM15, M), `movaps xmm15,xmmword ptr ${AT}`],
    [i.movaps(M, XMM0), `movaps xmmword ptr ${AT},xmm0`],
    [i.movdqu(XMM9, M), `movdqu xmm9,xmmword ptr ${AT}`],
    [i.movdqu(M, XMM9), `movdqu xmmword ptr ${AT},xmm9`],
    [i.movq(XMM9, RDI), 'movq xmm9,rdi'],
    [i.movq(RDI, XMM9), 'movq rdi,xmm9'],
    [i.movq(XMM9, M), `movq xmm9,qword ptr ${AT}`],
    [i.movq(M, XMM9), `movq qword ptr ${AT},xmm9`],
    [i.movq(XMM9, XMM0), 'movq xmm9,xmm0'],
    [i.movd(XMM9, R8D), 'movd xmm9,r8d'],
    [i.movd(R8D, XMM9), 'movd r8d,xmm9'],
    [i.movd(XMM9, M), `movd xmm9,dword ptr ${AT}`],
    [i.movd(M, XMM9), `movd dword ptr ${AT},xmm9`],
    [i.xorps(XMM9, XMM9), 'xorps xmm9,xmm9'],
  ]);
});

test('processor state', () => {
  for (const name of ['fxsave', 'fxrstor', 'xsave', 'xrstor', 'xsaveopt', 'xsavec'] as const) {
    expectRows([
      [i[name](M), `${name} ${AT}`],
      [i[`${name}64`](M), `${name}64 ${AT}`],
    ]);
  }
  for (const name of ['rdfsbase', 'rdgsbase', 'wrfsbase', 'wrgsbase'] as const) {
    expectRows([
      [i[name](R9), `${name} r9`],
      [i[name](EAX), `${name} eax`],
    ]);
  }
  expectRows([
    [i.ldmxcsr(M), `ldmxcsr dword ptr ${AT}`],
    [i.stmxcsr(M), `stmxcsr dword ptr ${AT}`],
  ]);
});

test('system instructions', () => {
  const plain = [
    'syscall',
    'sysretq',
    'iretq',
    'swapgs',
    'hlt',
    'cli',
    'sti',
    'pushfq',
    'popfq',
    'cpuid',
    'rdtsc',
    'rdtscp',
    'wrmsr',
    'rdmsr',
    'xgetbv',
    'xsetbv',
    'vmcall',
    'vmmcall',
  ] as const;
  for (const name of plain) expectText(i[name](), name);
  expectRows([
    [i.sgdt(M), `sgdt fword ptr ${AT}`],
    [i.sidt(M), `sidt fword ptr ${AT}`],
    [i.lgdt(M), `lgdt fword ptr ${AT}`],
    [i.lidt(M), `lidt fword ptr ${AT}`],
    [i.invlpg(M), `invlpg ${AT}`],
    [i.ltr(AX), 'ltr ax'],
    [i.ltr(M), `ltr word ptr ${AT}`],
    [i.movToSeg('ss', EAX), 'mov ss,ax'],
    [i.movFromSeg(ECX, 'cs'), 'mov ecx,cs'],
    [i.out(0x10, AL), 'out 16,al'],
    [i.out(null, AX), 'out dx,ax'],
    [i.out(null, EAX), 'out dx,eax'],
    [i.inp(AL, 0x10), 'in al,16'],
    [i.inp(EAX, null), 'in eax,dx'],
  ]);
  for (const cr of [0, 2, 3, 4, 8]) {
    expectText(i.movToCr(cr, R9), `mov cr${cr},r9`);
    expectText(i.movFromCr(RSI, cr), `mov rsi,cr${cr}`);
  }
  expectText(i.movFromCr(RBX, 3), 'mov rbx,cr3');
});

test('no instruction is left untested', () => {
  assert.deepEqual(
    Object.keys(instructions).filter((name) => !used.has(name)),
    [],
  );
});

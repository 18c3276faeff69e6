import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind } from 'iced-x86';
import { needs } from '../../../../test/harness/needs.ts';
import { Assembler, EAX, EDI, imm, mem, R8D, RAX, RBX, RCX, RDI, RSI, rip } from '../../../asm/index.ts';
import { instructionLength } from '../../../asm/length.ts';
import { executableText, type Text } from '../../../asm/text.test.helper.ts';
import { PATCH_TABLE_ADDR } from '../platform.ts';
import { type Plan, patchedBytes, planPatch } from './shapes.ts';

const PAGE = 4096;
const WORD = PATCH_TABLE_ADDR + 0x128;
const LIBC = '/lib/x86_64-linux-gnu/libc.so.6';

/** The assembler's code at the start of a page that is otherwise int3. */
function pageOf(a: Assembler): Uint8Array {
  const page = new Uint8Array(PAGE).fill(0xcc);
  page.set(a.finish());
  return page;
}

function patch(page: Uint8Array, at: number, plan: Plan, operand = WORD): void {
  const bytes = patchedBytes(page, at, plan, operand);
  assert.equal(bytes.length, plan.end - plan.start);
  page.set(bytes, plan.start);
}

const call = (a: Assembler): Assembler => a.label(a.unique('call')).label('call').syscall();

describe('shapes of patched calls', () => {
  it('mov: the number comes right before', () => {
    const a = new Assembler().xor(EDI, EDI).bytes([0xb8, 39, 0, 0, 0]);
    const page = pageOf(call(a).ret());
    const at = a.offsetOf('call');
    const plan = planPatch(page, at, 39);
    assert.deepEqual(plan, { shape: 'mov', jumpAt: at - 5, start: at - 5, end: at + 2 });
    patch(page, at, plan!);
    assert.deepEqual([...page.subarray(at - 5, at + 3)], [0xff, 0x24, 0x25, 0x28, 0x01, 0xfe, 0x7f, 0xc3]);
    assert.equal(planPatch(page, at, 39), null);
  });

  it('mov: not when the number is another, or the bytes belong to another instruction', () => {
    const mov = [0xb8, 39, 0, 0, 0];
    const shape = (before: number[], nr: number): string | undefined =>
      planPatch(pageOf(new Assembler().bytes([...before, ...mov, 0x0f, 0x05])), before.length + 5, nr)?.shape;
    assert.equal(shape([], 39), 'mov');
    assert.equal(shape([0x31, 0xd2], 39), 'mov');
    assert.equal(shape([0x31, 0xd2], 40), undefined);
    assert.equal(shape([0x41], 39), undefined, 'mov $39,%r8d');
    assert.equal(shape([0xc7, 0x45], 39), undefined, 'movl $39,-0x48(%rbp)');
    assert.equal(shape([0x48, 0xc7, 0x44, 0x24], 39), undefined, 'movq $39,-0x48(%rsp)');
    assert.equal(shape([0x81, 0x7d], 39), undefined, 'cmpl $39,-0x48(%rbp)');
    const cut = new Uint8Array(PAGE);
    cut.set([39, 0, 0, 0, 0x0f, 0x05]);
    assert.equal(planPatch(cut, 4, 39), null, 'the page begins within the mov');
  });

  it('mov: all 64 bits of the register, and the call stays', () => {
    const page = new Uint8Array(PAGE).fill(0x50);
    page.set([0x48, 0xc7, 0xc0, 228, 0, 0, 0, 0x0f, 0x05], 100);
    const plan = planPatch(page, 107, 228);
    assert.deepEqual(plan, { shape: 'mov', jumpAt: 100, start: 100, end: 107 });
    assert.equal(planPatch(page, 107, 229), null);
    patch(page, 107, plan!);
    assert.deepEqual([...page.subarray(100, 110)], [0xff, 0x24, 0x25, 0x28, 1, 0xfe, 0x7f, 0x0f, 0x05, 0x50]);
    assert.equal(planPatch(page, 107, 228), null);
  });

  it('the return from a signal handler is never followed: it does not come back', () => {
    const bare = new Assembler().bytes([0x90]);
    assert.equal(planPatch(pageOf(call(bare).ret().align(16)), 1, 15), null);
    const other = new Assembler().bytes([0x90]);
    assert.equal(planPatch(pageOf(call(other).ret().align(16)), 1, 228)?.shape, 'padding');
    const mov = new Assembler().bytes([0x48, 0xc7, 0xc0, 15, 0, 0, 0]);
    assert.equal(planPatch(pageOf(call(mov).ret().align(16)), 7, 15)?.shape, 'mov');
  });

  const ends: Record<string, readonly number[]> = {
    ret: [0xc3],
    'repz ret': [0xf3, 0xc3],
    'ret 8': [0xc2, 8, 0],
    'jmp short': [0xeb, 0xf0],
    'jmp near': [0xe9, 0, 1, 0, 0],
    'jmp *rax': [0xff, 0xe0],
    'notrack jmp *rax': [0x3e, 0xff, 0xe0],
    'jmp *r8': [0x41, 0xff, 0xe0],
    'bnd jmp *(rip)': [0xf2, 0xff, 0x25, 0, 0, 0, 0],
    hlt: [0xf4],
    ud2: [0x0f, 0x0b],
  };
  const pads: Record<string, readonly number[]> = {
    nops: Array(9).fill(0x90),
    'long nop': [0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
    'cs nop': [0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
    'more prefixes': [0x66, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
    'two nops': [0x0f, 0x1f, 0x80, 0, 0, 0, 0, 0x66, 0x90],
    int3: Array(7).fill(0xcc),
  };
  for (const [end, bytes] of Object.entries(ends))
    for (const [pad, fill] of Object.entries(pads))
      it(`padding: ${pad} after ${end}`, () => {
        const page = new Uint8Array(PAGE).fill(0x50);
        const to = 1024;
        const jumpAt = to - fill.length;
        const at = jumpAt - bytes.length - 5;
        page.set([0x0f, 0x05, 0x50, 0x74, 0, ...bytes, ...fill], at);
        const plan = planPatch(page, at, 1);
        assert.deepEqual(plan, { shape: 'padding', jumpAt, start: at, end: to });
        patch(page, at, plan!);
        const want = [
          0xeb,
          jumpAt - at - 2,
          0x50,
          0x74,
          0,
          ...bytes,
          0xff,
          0x24,
          0x25,
          0x28,
          0x01,
          0xfe,
          0x7f,
        ];
        assert.deepEqual([...page.subarray(at, jumpAt + 7)], want);
        assert.deepEqual([...page.subarray(jumpAt + 7, to)], Array(fill.length - 7).fill(0x90));
        assert.equal(page[to], 0x50);
      });

  /** The plan for `code` that ends at offset 1024; `at` is the call in it. */
  function planIn(code: readonly number[], at: number, to = 1024): Plan | null {
    const page = new Uint8Array(PAGE).fill(0x50);
    page.set(code, to - code.length);
    return planPatch(page, to - code.length + at, 1);
  }
  const pad = (n: number): number[] => Array(n).fill(0x90);

  it('padding: not what may run', () => {
    assert.notEqual(planIn([0x0f, 0x05, 0xc3, ...pad(7)], 0), null);
    assert.equal(planIn([0x0f, 0x05, 0x50, ...pad(7)], 0), null, 'the call goes on into it');
    assert.equal(planIn([0x0f, 0x05, ...pad(7)], 0), null, 'right after the call');
    assert.equal(planIn([0x0f, 0x05, 0xe8, 0, 1, 0, 0, ...pad(7)], 0), null, 'after another call');
    assert.equal(planIn([0x0f, 0x05, 0x01, 0xc3, ...pad(7)], 0), null, 'add %eax,%ebx');
    assert.equal(planIn([0x0f, 0x05, 0x74, 1, 0xc3, ...pad(7)], 0), null, 'a jump into it');
    assert.equal(planIn([0x74, 3, 0x0f, 0x05, 0xc3, ...pad(7)], 2), null, 'a jump from before');
    assert.equal(planIn([0x0f, 0x84, 3, 0, 0, 0, 0x0f, 0x05, 0xc3, ...pad(7)], 6), null, 'a near one');
    assert.equal(planIn([0x48, 0x8d, 0x05, 3, 0, 0, 0, 0x0f, 0x05, 0xc3, ...pad(7)], 7), null, 'its address');
    assert.equal(planIn([0x0f, 0x05, 0xc3, ...pad(6)], 0), null, 'too short');
    assert.equal(planIn([0x0f, 0x05, 0xc3, ...pad(7)], 0, 1023), null, 'not aligned');
    assert.equal(planIn([0x0f, 0x05, 0xc3, ...pad(16)], 0), null, 'a function that begins with nops');
    assert.equal(planIn([0x0f, 0x05, 0xc3, ...pad(6 + 16)], 0), null, 'the same behind padding');
    assert.equal(planIn([0x0f, 0x05, 0xd6, 0xc3, ...pad(7)], 0), null, 'what does not decode');
  });

  it('padding: within reach and within the page', () => {
    const code = (n: number): number[] => [0x0f, 0x05, ...Array(n).fill(0x50), 0xc3, ...pad(7)];
    const far = planIn(code(126), 0);
    assert.equal(far!.jumpAt, far!.start + 2 + 127);
    assert.equal(planIn(code(127), 0), null);
    assert.equal(planIn(code(20), 0, PAGE)!.end, PAGE);
    const page = new Uint8Array(PAGE).fill(0x50);
    page.set([0x0f, 0x05], PAGE - 2);
    assert.equal(planPatch(page, PAGE - 2, 1), null);
    assert.equal(planPatch(page, PAGE - 1, 1), null);
  });

  it('padding: two calls share what is long enough', () => {
    const page = new Uint8Array(PAGE).fill(0x50);
    page.set([0x0f, 0x05, 0x50, 0x0f, 0x05, 0xc3, ...pad(14)], 1024 - 20);
    patch(page, 1004, planPatch(page, 1004, 1)!);
    const second = planPatch(page, 1007, 1);
    assert.deepEqual(second, { shape: 'padding', jumpAt: 1017, start: 1007, end: 1024 });
    patch(page, 1007, second!, WORD + 8);
    assert.deepEqual([...page.subarray(1004, 1010)], [0xeb, 4, 0x50, 0xeb, 8, 0xc3]);
    assert.deepEqual(
      [...page.subarray(1010, 1024)],
      [0xff, 0x24, 0x25, 0x28, 1, 0xfe, 0x7f, 0xff, 0x24, 0x25, 0x30, 1, 0xfe, 0x7f],
    );
    page.set([0x0f, 0x05, 0x50], 1001);
    assert.equal(planPatch(page, 1001, 1), null, 'full');
  });

  it('what follows a patched call is alive', () => {
    for (const nr of [1, 2]) {
      // The second call falls through nops into an aligned loop.
      const page = new Uint8Array(PAGE).fill(0x50);
      page.set([0x0f, 0x05, 0x50, 0xb8, 1, 0, 0, 0, 0x0f, 0x05, ...pad(8), 0xc3, ...pad(15)], 1024 - 18);
      const plan = planPatch(page, 1014, nr)!;
      assert.equal(plan.shape, nr === 1 ? 'mov' : 'padding');
      patch(page, 1014, plan);
      assert.equal(planPatch(page, 1006, 1)?.end, 1040);
    }
  });

  it('random pages: nothing else changes, and what changes is dead', () => {
    let patched = 0;
    fc.assert(
      fc.property(fc.array(fc.nat(999), { minLength: 30, maxLength: 400 }), (choices) => {
        const { page, calls } = randomPage(choices);
        const original = page.slice();
        const alive = reachable(original);
        const changed = new Uint8Array(PAGE);
        calls.forEach((at, i) => {
          const plan = planPatch(page, at, i % 2 === 0 ? 39 : 1);
          if (plan === null) return;
          patched++;
          patch(page, at, plan, WORD + 8 * i);
          if (plan.shape === 'mov') changed.fill(1, plan.start, plan.end);
          else changed.fill(1, at, at + 2).fill(1, plan.jumpAt, plan.end);
          if (plan.shape === 'padding')
            for (let p = plan.jumpAt; p < plan.end; p++) assert.equal(alive[p], 0, `${p} is alive`);
          const jump = decode(page, plan.jumpAt);
          assert.equal(jump.text, `jmp ${(WORD + 8 * i).toString(16)}`);
          if (plan.shape === 'padding') assert.equal(decode(page, at).target, plan.jumpAt);
        });
        for (let p = 0; p < PAGE; p++) if (changed[p] === 0) assert.equal(page[p], original[p]);
        // Apart from the calls every instruction is where it was, and dead bytes are instructions still.
        for (let p = 0; p < PAGE; ) {
          const { length, text } = decode(page, p);
          assert.notEqual(text, 'bad');
          if (alive[p] === 1 && changed[p] === 0) assert.equal(length, decode(original, p).length);
          p += length;
        }
      }),
      { numRuns: 150, seed: 5 },
    );
    assert.ok(patched > 300, `${patched} patched`);
  });

  for (const path of [
    LIBC,
    '/lib64/ld-linux-x86-64.so.2',
    'node_modules/@esbuild/linux-x64/bin/esbuild',
    process.execPath,
  ]) {
    const texts = executableText(path);
    it(`calls in ${path}`, needs(resolve(path)), (t) => {
      const count = { mov: 0, padding: 0, neither: 0 };
      for (const text of texts) eachCall(text, (page, at) => count[patchOne(page, at) ?? 'neither']++);
      t.diagnostic(JSON.stringify(count));
    });
  }

  const libc = executableText(LIBC).find(({ name }) => name === '.text');
  it('read() and syscall() of the C library', needs(LIBC, 'nm'), (t) => {
    for (const name of ['read', 'write', 'syscall']) {
      const shapes: string[] = [];
      const start = symbol(LIBC, name);
      if (start === null) return t.skip('no symbols');
      eachCall(libc!, (page, at, addr) => {
        if (addr >= start && addr < start + 64) shapes.push(patchOne(page, at) ?? 'neither');
      });
      t.diagnostic(`${name}: ${shapes.join(' ')}`);
      assert.ok(shapes.length > 0 && !shapes.includes('neither'), name);
    }
  });
});

/** The call patched as if it had trapped with the number that its mov loads; its shape. */
function patchOne(page: Uint8Array, at: number): 'mov' | 'padding' | null {
  const short = at >= 5 && page[at - 5] === 0xb8;
  const long = at >= 7 && page[at - 7] === 0x48 && page[at - 6] === 0xc7 && page[at - 5] === 0xc0;
  const nr = short || long ? page[at - 4]! | (page[at - 3]! << 8) : -1;
  const plan = planPatch(page, at, nr);
  if (plan !== null) patch(page, at, plan);
  return plan?.shape ?? null;
}

function eachCall(text: Text, visit: (page: Uint8Array, at: number, addr: number) => void): void {
  const skew = text.addr % PAGE;
  const bytes = new Uint8Array(skew + text.bytes.length + PAGE);
  bytes.set(text.bytes, skew);
  const end = skew + text.bytes.length;
  const calls: number[] = [];
  for (let p = skew; p < end; p += instructionLength(bytes, p, end) || 1)
    if (bytes[p] === 0x0f && bytes[p + 1] === 0x05) calls.push(p);
  for (const p of calls)
    visit(bytes.subarray(p - (p % PAGE), p - (p % PAGE) + PAGE), p % PAGE, text.addr - skew + p);
}

/** Address of a dynamic symbol, by nm; null when there is no nm. */
function symbol(path: string, name: string): number | null {
  const { stdout, status } = spawnSync('nm', ['-D', '--defined-only', path], { encoding: 'utf8' });
  const line = (stdout ?? '').split('\n').find((l) => new RegExp(` [TWi] ${name}(@|$)`).test(l));
  return status !== 0 || line === undefined ? null : Number.parseInt(line, 16);
}

interface Decoded {
  readonly length: number;
  readonly text: string;
  readonly target: number;
  readonly goesOn: boolean;
}

const ENDS: readonly number[] = [
  FlowControl.Return,
  FlowControl.UnconditionalBranch,
  FlowControl.IndirectBranch,
  FlowControl.Exception,
];

/** iced's view of one instruction. */
function decode(page: Uint8Array, at: number): Decoded {
  const decoder = new Decoder(64, page.subarray(at, at + 15), DecoderOptions.None);
  const instr = new Instruction();
  decoder.ip = BigInt(at);
  decoder.decodeOut(instr);
  const flow = instr.flowControl;
  const branch = instr.op0Kind === OpKind.NearBranch64;
  const nop = instr.mnemonic === Mnemonic.Nop || instr.mnemonic === Mnemonic.Int3;
  const lea = instr.mnemonic === Mnemonic.Lea && instr.isIpRelMemoryOperand;
  let text = instr.isInvalid ? 'bad' : nop ? 'nop' : '';
  if (flow === FlowControl.IndirectBranch) text = `jmp ${instr.memoryDisplacement.toString(16)}`;
  const decoded = {
    length: Math.max(1, instr.length),
    text,
    target: branch ? Number(instr.nearBranchTarget) : lea ? Number(instr.ipRelMemoryAddress) : -1,
    goesOn: !ENDS.includes(flow),
  };
  instr.free();
  decoder.free();
  return decoded;
}

/** Marks every instruction that is no nop, and all that they lead to. */
function reachable(page: Uint8Array): Uint8Array {
  const alive = new Uint8Array(PAGE + 1);
  const decoded: Decoded[] = [];
  const todo: number[] = [];
  for (let p = 0; p < PAGE; p += decoded[p]!.length) {
    decoded[p] = decode(page, p);
    if (decoded[p]!.text !== 'nop') todo.push(p);
  }
  for (let p = todo.pop(); p !== undefined; p = todo.pop()) {
    if (p < 0 || p >= PAGE || alive[p] === 1) continue;
    alive[p] = 1;
    const { length, target, goesOn } = decoded[p]!;
    if (goesOn) todo.push(p + length);
    if (target >= 0) todo.push(target);
  }
  return alive;
}

/** Code as compilers write it, with jumps into what may look like padding. */
function randomPage(choices: readonly number[]): { page: Uint8Array; calls: number[] } {
  const a = new Assembler();
  const calls: number[] = [];
  const labels: string[] = [];
  /** Labels that jumps wait for, and where the first such jump is. */
  let wanted: string[] = [];
  let waiting = 0;
  const ahead = (): string => {
    if (wanted.length === 0) waiting = a.size;
    wanted.push(a.unique('ahead'));
    return wanted.at(-1)!;
  };
  const here = (): Assembler => {
    for (const label of wanted) a.label(label);
    wanted = [];
    return a;
  };
  const back = (n: number): string => {
    if (labels.length === 0) a.label(labels[labels.push(a.unique('back')) - 1]!);
    return labels[n % labels.length]!;
  };
  const emits: readonly ((n: number) => unknown)[] = [
    (n) => a.mov(RAX, imm(n)),
    (n) => a.mov(mem(RBX, n), RCX),
    () => a.xor(EDI, EDI),
    () => a.lea(RSI, mem(RDI, 8)),
    () => a.mov(EAX, R8D),
    () => a.push(RBX),
    () => a.pop(RBX),
    () => a.bytes([0x01, 0xc3]),
    (n) => a.bytes([0xb8, n % 2 ? 39 : 1, 0, 0, 0]),
    (n) => a.bytes([0x48, 0xc7, 0xc0, n % 2 ? 39 : 1, 0, 0, 0]),
    () => a.align(16),
    () => a.ret().align(16),
    () => a.ret().align(16, 0xcc),
    () => a.ret(),
    () => a.ud2().align(16),
    (n) => (n % 4 === 0 ? a.label(labels[labels.push(a.unique('back')) - 1]!) : a.align(8)),
    (n) => a.jne(back(n)),
    (n) => a.jmp(back(n)).align(16),
    (n) => a.lea(RDI, rip(back(n))),
    () => a.je(ahead()),
    () => a.jmpShort(ahead()),
    () => a.jeShort(ahead()).align(16),
    here,
    () => here().align(16),
  ];
  for (const choice of choices) {
    if (a.size > PAGE - 128) break;
    if (a.size > waiting + 80) here();
    if (choice % 5 !== 0) emits[choice % emits.length]!(choice);
    else {
      calls.push(a.size);
      a.syscall();
    }
  }
  here();
  const page = new Uint8Array(PAGE).fill(0x50);
  page.set(a.finish());
  return { page, calls };
}

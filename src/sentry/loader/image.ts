// Building the address space of a program: images, brk, stack, and what /proc tells of them.

import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../../abi/memory/mman.ts';
import { RLIMIT_STACK } from '../../abi/process/resource.ts';
import { ET_DYN } from '../../elf/index.ts';
import { randomBits } from '../../host/random.ts';
import type { Cred } from '../base/cred.ts';
import { failed } from '../base/errno.ts';
import { PAGE_SIZE, pageDown, pageUp } from '../base/page.ts';
import { SLICE_BYTES } from '../kernel/block.ts';
import type { ArgStrings } from '../kernel/task/arg_strings.ts';
import { LOAD_KILLS, type LoadArgs, type UnfinishedProgram } from '../kernel/task/loader_interface.ts';
import { MemoryManager } from '../mm/mm.ts';
import { ELF_ET_DYN_BASE, mapImage, noteLayout, type Program } from './elf.ts';
import { StackImage } from './stack.ts';

/** Pages of randomness as x86-64 has them: mmap_rnd_bits, and the 32 MiB of arch_randomize_brk. */
const MMAP_RND_BITS = 28;
const BRK_RND_BITS = 13;
/** Room that a fresh stack has beyond its strings and vectors (setup_arg_pages). */
const STACK_EXPAND = 128 * 1024;

/** What decides about the stack and the layout. */
export interface ImageArgs {
  readonly execfn: string;
  readonly argv: ArgStrings;
  readonly envp: ArgStrings;
  readonly cred: Cred;
  readonly secure: boolean;
  readonly randomize: boolean;
}

export interface BuiltImage {
  readonly mm: MemoryManager;
  readonly entry: number;
  readonly sp: number;
  readonly interpreterBase: number;
  readonly unfinished: UnfinishedProgram | null;
}

/** A new address space with the program, its interpreter and its stack; -ENOMEM or LOAD_KILLS, and nothing is left. */
export function buildImage(
  args: LoadArgs,
  program: Program,
  interpreter: Program | null,
  image: ImageArgs,
): BuiltImage | number {
  const { memfile, platform } = args.kernel;
  const mm = MemoryManager.create(memfile, platform, args.limits, image.randomize);
  if (failed(mm)) return mm;
  const built = fill(mm, args, program, interpreter, image);
  if (!failed(built)) return built;
  mm.release();
  return LOAD_KILLS;
}

function fill(
  mm: MemoryManager,
  args: LoadArgs,
  program: Program,
  interpreter: Program | null,
  image: ImageArgs,
): BuiltImage | number {
  const isPie = program.image.header.type === ET_DYN;
  // A program that is its own interpreter (ld.so run by hand, static PIE) goes where mmap puts things, out of the way.
  const random = image.randomize ? randomBits(MMAP_RND_BITS) * PAGE_SIZE : 0;
  const align = program.image.align;
  const base = isPie && interpreter !== null ? alignDown(ELF_ET_DYN_BASE + random, align) : 0;
  const main = mapImage(mm, args.ctx, program, base, false);
  if (failed(main)) return main;
  noteLayout(mm, program.image, main.bias);
  const brk = isPie && interpreter === null ? ELF_ET_DYN_BASE : pageUp(main.end);
  mm.setBrk(brk + (image.randomize ? randomBits(BRK_RND_BITS) * PAGE_SIZE : 0));

  let entry = main.entry;
  let interpreterBase = 0;
  if (interpreter !== null) {
    const placed = mapImage(mm, args.ctx, interpreter, 0, true);
    if (failed(placed)) return placed;
    interpreterBase = placed.bias;
    entry = placed.entry;
  }

  const vdso = args.kernel.vdso === null ? 0 : args.kernel.vdso.map(mm);
  if (vdso < 0) return vdso;
  const phdr = program.image.phdrVaddr === 0 ? 0 : program.image.phdrVaddr + main.bias;
  const stack = new StackImage(
    mm.stackTop,
    image.execfn,
    image.argv,
    image.envp,
    {
      phdr,
      phnum: program.image.header.phnum,
      base: interpreterBase,
      entry: main.entry,
      cred: image.cred,
      secure: image.secure,
      vdso,
      fsgsbase: args.kernel.platform.fsgsbase,
    },
    image.randomize,
  );
  const need = pageUp(mm.stackTop - stack.sp);
  const limit = pageDown(Math.min(args.limits.soft(RLIMIT_STACK), Number.MAX_SAFE_INTEGER));
  const size = Math.max(need, Math.min(need + STACK_EXPAND, limit));
  const prot = PROT_READ | PROT_WRITE | (program.image.execStack ? PROT_EXEC : 0);
  const r = mm.setStack(size, prot);
  if (r < 0) return r;
  const unfinished = new ProgramStack(mm, stack);
  const copied = unfinished.step();
  if (copied < 0) return copied;
  mm.startStack = stack.sp;
  mm.argStart = stack.argStart;
  mm.argEnd = stack.argEnd;
  mm.envStart = stack.envStart;
  mm.envEnd = stack.envEnd;
  mm.auxv = stack.auxv;
  return { mm, entry, sp: stack.sp, interpreterBase, unfinished: copied === 0 ? null : unfinished };
}

/** The stack of a new program, written in slices: UnfinishedProgram. */
class ProgramStack implements UnfinishedProgram {
  private readonly mm: MemoryManager;
  private readonly stack: StackImage;

  constructor(mm: MemoryManager, stack: StackImage) {
    this.mm = mm;
    this.stack = stack;
  }

  step(): number {
    const r = this.stack.write(this.mm, SLICE_BYTES);
    if (r === 0) this.mm.mapAhead();
    return r;
  }
}

function alignDown(addr: number, unit: number): number {
  return addr - (addr % unit);
}

// The program `vedette`: a few hundred bytes of machine code that start Node.js. What the caller hands on must be noted before
// Node.js runs, which resets the signals that are ignored, opens what is closed and raises the limit of open files; and a shell
// in its place would drop variables whose names it does not like, and add some of its own. The build writes it beside the
// launcher, vedette.cjs.
//
// It execs  node FLAGS DIR/vedette.cjs ARGS...  with the caller's environment as it is, except that
//   NODE_EXTRA_CA_CERTS  is called VEDETTE_CA_CERTS: Node 20 reads that file when it starts, for up to 50 ms, for nothing
//   VEDETTE_INHERITED    is added: the note that runtime/note.ts reads

import { E2BIG, EINTR } from '../abi/errno.ts';
import { POLLNVAL } from '../abi/events/poll.ts';
import { AT_EXECFN, AT_NULL } from '../abi/process/auxvec.ts';
import {
  RLIM_NLIMITS,
  RLIMIT_AS,
  RLIMIT_CPU,
  RLIMIT_DATA,
  RLIMIT_FSIZE,
  RLIMIT_NOFILE,
  RLIMIT_NPROC,
} from '../abi/process/resource.ts';
import { SIG_BLOCK, SIG_IGN } from '../abi/signal/signal.ts';
import {
  SYS_execve,
  SYS_exit_group,
  SYS_getpid,
  SYS_poll,
  SYS_prlimit64,
  SYS_readlink,
  SYS_rt_sigaction,
  SYS_rt_sigprocmask,
  SYS_write,
} from '../abi/syscall.ts';
import {
  AL,
  Assembler,
  byte,
  CL,
  DL,
  dword,
  EAX,
  ECX,
  EDI,
  EDX,
  ESI,
  imm,
  mem,
  qword,
  R10,
  R10D,
  R12,
  R13,
  R14,
  R15,
  R15D,
  RAX,
  RBP,
  RBX,
  RCX,
  RDI,
  RDX,
  type Reg,
  RSI,
  RSP,
  rip,
  word,
} from '../asm/index.ts';
import { PF_R, PF_W, PF_X, writeExecutable } from '../elf/index.ts';
import { NOTE_NAME } from '../runtime/note.ts';

/** Flags of Node.js. */
export const NODE_FLAGS: readonly string[] = [
  // What a start allocates lives on: with more room for new objects V8 need not look through them three times.
  '--min-semi-space-size=8',
  // One thread compiles in the background: several would take the cpus from the guest while the kernel warms up.
  '--v8-pool-size=1',
  // A sandbox that has nothing to do collects its garbage once and gives the memory back.
  '--expose-gc',
  // Else it looks for some of its own flags, such as --env-file, among the words of the program.
  '--',
];

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const NO_NODE = 'vedette: no node in PATH; fix: install Node.js 20 or newer\n';
const TOO_LONG = 'vedette: argument list too long\n';
const STATUS_NO_NODE = 127;
const STATUS_TOO_LONG = 126;

const CODE_AT = 0x40_0000;
const DATA_AT = 0x60_0000;
/** Descriptors below this are looked at. */
const MOST_FDS = 1024;
const PATH_SIZE = 4096;
const EXTENSION = '.cjs';
const SLASH = 0x2f;

/** Bytes of address space with which any Node.js starts. */
const AMPLE_SPACE = 10e9;

/** Soft limits that bind the Sentry and are the guest's business alone: Node.js and the kernel get what the hard ones allow. */
const RAISED = [RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_NPROC, RLIMIT_NOFILE, RLIMIT_AS].reduce(
  (set, resource) => set | (1 << resource),
  0,
);

// Data, all zero at the start.
const LIMIT = DATA_AT;
/** A byte behind the limit: 1 with little address space. */
const LITTLE_AT = 32;
const ACTION = DATA_AT + 64;
const NOTE = DATA_AT + 256;
const SCRIPT = NOTE + 16 * MOST_FDS;
const PATH = SCRIPT + 2 * PATH_SIZE;
/** Not used for PATH yet: where a link leads. */
const LINK = PATH + PATH_SIZE;
const POLLFDS = PATH + 2 * PATH_SIZE;
const DATA_SIZE = POLLFDS + 8 * MOST_FDS - DATA_AT;
/** struct pollfd. */
const POLLFD_EVENTS = 4;
const POLLFD_REVENTS = 6;

/** Four characters as the number that stores them. */
const chars = (text: string) => imm(Buffer.from(text, 'latin1').readUInt32LE());

/** r12 argc, r13 argv, r14 envp, rbp where the note goes on. */
function assemble(): Assembler {
  const c = new Assembler({ base: CODE_AT });
  const call = (nr: number) => c.mov(EAX, imm(nr)).syscall();
  const copy = (to: Reg, label: string, text: string) => {
    if (to !== RDI) c.mov(RDI, to);
    c.lea(RSI, rip(label)).mov(ECX, imm(text.length)).repMovsb();
  };

  c.label('start')
    .mov(R12, mem(RSP))
    .lea(R13, mem(RSP, 8))
    .lea(R14, mem(R13, 8, R12, 8));
  c.mov(EDI, imm(NOTE));
  copy(RDI, 'note', `${NOTE_NAME}=`);
  c.mov(RBP, RDI);
  call(SYS_getpid).call('hex');

  // Ignored signals, bit n-1 for signal n.
  c.xor(RBX, RBX).mov(R15D, imm(64)).label('signal').mov(EDI, R15D).xor(ESI, ESI);
  c.mov(EDX, imm(ACTION)).mov(R10, imm(8));
  call(SYS_rt_sigaction)
    .mov(EDX, imm(ACTION))
    .cmp(qword(mem(RDX)), imm(SIG_IGN))
    .jne('not ignored');
  c.lea(RCX, mem(R15, -1)).bts(RBX, RCX).label('not ignored').dec(R15).jne('signal');
  c.mov(RAX, RBX).call('hex');

  // Blocked signals.
  c.mov(EDI, imm(SIG_BLOCK)).xor(ESI, ESI).mov(EDX, imm(ACTION)).mov(R10, imm(8));
  call(SYS_rt_sigprocmask).mov(EDX, imm(ACTION)).mov(RAX, mem(RDX)).call('hex');

  // Soft limits; r15 is the resource, rbx where the limit is.
  c.xor(R15, R15).mov(EDX, imm(LIMIT)).mov(RBX, RDX).label('limit').xor(RDI, RDI).mov(RSI, R15);
  c.xor(RDX, RDX).mov(R10, RBX);
  call(SYS_prlimit64).mov(RAX, mem(RBX)).call('hex');
  c.mov(ECX, imm(RAISED)).bt(RCX, R15).jae('keep').mov(RAX, mem(RBX, 8)).mov(mem(RBX), RAX);
  c.xor(RDI, RDI).mov(RSI, R15).mov(RDX, RBX).xor(R10, R10);
  call(SYS_prlimit64);
  c.label('keep').inc(R15).cmp(R15, imm(RLIM_NLIMITS)).jb('limit');

  // Open descriptors: poll(2) takes no more than the limit of open files and says of each closed one that it is.
  c.xor(RDI, RDI).mov(ESI, imm(RLIMIT_NOFILE)).xor(RDX, RDX).mov(R10, RBX);
  call(SYS_prlimit64).mov(R15D, imm(MOST_FDS)).cmp(mem(RBX), R15).ja('count known').mov(R15, mem(RBX));
  c.label('count known').mov(EDX, imm(POLLFDS)).mov(RBX, RDX).xor(RCX, RCX).label('ask');
  c.mov(mem(RBX, 0, RCX, 8), ECX).mov(word(mem(RBX, POLLFD_EVENTS, RCX, 8)), imm(0));
  c.inc(RCX).cmp(RCX, R15).jb('ask');
  c.label('poll').mov(RDI, RBX).mov(RSI, R15).xor(RDX, RDX);
  call(SYS_poll).cmp(RAX, imm(-EINTR)).je('poll');
  c.xor(RDX, RDX)
    .label('told')
    .test(word(mem(RBX, POLLFD_REVENTS, RDX, 8)), imm(POLLNVAL))
    .jne('closed');
  c.push(RDX).mov(RAX, RDX).call('hex').pop(RDX);
  c.label('closed').inc(RDX).cmp(RDX, R15).jb('told');
  c.mov(byte(mem(RBP)), imm(0));

  // The launcher's path: this program's and .cjs. Without /proc the name that it was started by must do.
  c.lea(RDI, rip('exe')).mov(ESI, imm(SCRIPT)).mov(EDX, imm(PATH_SIZE));
  call(SYS_readlink).mov(EDI, imm(SCRIPT)).test(RAX, RAX).jle('no proc').add(RDI, RAX).jmp('found');
  c.label('no proc')
    .mov(RSI, R14)
    .label('to auxv')
    .add(RSI, imm(8))
    .cmp(qword(mem(RSI, -8)), imm(0))
    .jne('to auxv');
  c.label('auxv').mov(RAX, mem(RSI)).cmp(RAX, imm(AT_EXECFN)).je('execfn').cmp(RAX, imm(AT_NULL)).je('found');
  c.add(RSI, imm(16)).jmp('auxv');
  c.label('execfn')
    .mov(RSI, mem(RSI, 8))
    .mov(EDX, imm(SCRIPT + PATH_SIZE))
    .label('name');
  c.mov(AL, mem(RSI)).test(AL, AL).je('named').cmp(RDI, RDX).jae('found');
  c.mov(mem(RDI), AL).inc(RDI).inc(RSI).jmp('name');
  // That may be a link, as package managers make them: it leads from its own folder on.
  c.label('named')
    .push(RDI)
    .mov(EDI, imm(SCRIPT))
    .mov(ESI, imm(LINK))
    .mov(EDX, imm(PATH_SIZE - 16));
  call(SYS_readlink).pop(RDI).test(RAX, RAX).jle('found').mov(ESI, imm(LINK));
  c.cmp(byte(mem(RSI)), imm(SLASH))
    .jne('folder')
    .mov(EDI, imm(SCRIPT))
    .jmp('led');
  c.label('folder')
    .cmp(RDI, imm(SCRIPT))
    .je('led')
    .cmp(byte(mem(RDI, -1)), imm(SLASH))
    .je('led');
  c.dec(RDI).jmp('folder');
  c.label('led').mov(AL, mem(RSI)).test(AL, AL).je('found');
  c.mov(mem(RDI), AL).inc(RDI).inc(RSI).jmp('led');
  c.label('found')
    .mov(dword(mem(RDI)), chars(EXTENSION))
    .mov(byte(mem(RDI, EXTENSION.length)), imm(0));

  // V8 reserves address space before anything of ours runs: with little of it, the launcher itself, as a shell script, tries first.
  c.xor(EDI, EDI).mov(ESI, imm(RLIMIT_AS)).xor(RDX, RDX).mov(R10D, imm(LIMIT));
  call(SYS_prlimit64).mov(EDX, imm(LIMIT)).movabs(RAX, imm(AMPLE_SPACE)).cmp(mem(RDX), RAX);
  c.setb(byte(mem(RDX, LITTLE_AT)));

  // argv at r15.
  c.mov(RCX, R14)
    .label('count')
    .add(RCX, imm(8))
    .cmp(qword(mem(RCX, -8)), imm(0))
    .jne('count');
  c.sub(RCX, R13)
    .add(RCX, imm(8 * (NODE_FLAGS.length + 8)))
    .sub(RSP, RCX)
    .and(RSP, imm(-16))
    .mov(R15, RSP)
    .mov(RDI, R15);
  const store = () => c.mov(mem(RDI), RAX).add(RDI, imm(8));
  for (const label of ['node', ...NODE_FLAGS.map((_, i) => `flag ${i}`)]) {
    c.lea(RAX, rip(label));
    store();
  }
  c.mov(EAX, imm(SCRIPT));
  store();
  c.mov(RSI, R13)
    .label('argument')
    .cmp(qword(mem(RSI)), imm(0))
    .je('arguments done')
    .add(RSI, imm(8))
    .mov(RAX, mem(RSI));
  store();
  c.test(RAX, RAX).jne('argument').sub(RDI, imm(8));
  c.label('arguments done')
    .mov(qword(mem(RDI)), imm(0))
    .add(RDI, imm(8));

  // envp at rbx; rbp becomes PATH's value.
  c.mov(RBX, RDI).lea(RBP, rip('default path'));
  c.label('variable').mov(RAX, mem(R14)).add(R14, imm(8)).test(RAX, RAX).je('variables done');
  c.lea(RSI, rip('note')).call('begins').je('variable');
  c.lea(RSI, rip('certificates')).call('begins').jne('as it is');
  // The new name is shorter: it ends where the old one did.
  const [oldName, newName] = ['NODE_EXTRA_CA_CERTS=', 'VEDETTE_CA_CERTS='];
  c.mov(RDX, RDI)
    .lea(RDI, mem(RAX, oldName.length - newName.length))
    .mov(RAX, RDI);
  copy(RDI, 'kept', newName);
  c.mov(RDI, RDX);
  c.label('as it is').lea(RSI, rip('path')).call('begins').jne('put').lea(RBP, mem(RAX, 5));
  c.label('put').mov(mem(RDI), RAX).add(RDI, imm(8)).jmp('variable');
  c.label('variables done')
    .mov(EAX, imm(NOTE))
    .mov(mem(RDI), RAX)
    .mov(qword(mem(RDI, 8)), imm(0));

  // argv is the same from the launcher on, behind what begins it.
  c.mov(EDX, imm(LIMIT))
    .cmp(byte(mem(RDX, LITTLE_AT)), imm(0))
    .je('element');
  c.lea(RDI, rip('shell'))
    .lea(RSI, mem(R15, 8 * NODE_FLAGS.length))
    .lea(RAX, rip('sh'))
    .mov(mem(RSI), RAX)
    .mov(RDX, RBX);
  call(SYS_execve);
  c.lea(RAX, rip(`flag ${NODE_FLAGS.length - 1}`)).mov(mem(R15, 8 * NODE_FLAGS.length), RAX);

  // execvp(3): an empty element of PATH is the working directory.
  c.label('element')
    .mov(EDI, imm(PATH))
    .mov(RDX, RDI)
    .label('copy')
    .mov(AL, mem(RBP))
    .test(AL, AL)
    .je('whole');
  c.cmp(AL, imm(0x3a)).je('whole').inc(RBP).lea(RCX, mem(RDX, PATH_SIZE)).cmp(RDI, RCX).jae('copy');
  c.mov(mem(RDI), AL).inc(RDI).jmp('copy');
  c.label('whole')
    .cmp(RDI, RDX)
    .je('name it')
    .mov(byte(mem(RDI)), imm(0x2f))
    .inc(RDI);
  c.label('name it')
    .mov(dword(mem(RDI)), chars('node'))
    .mov(byte(mem(RDI, 4)), imm(0));
  c.mov(RDI, RDX).mov(RSI, R15).mov(RDX, RBX);
  call(SYS_execve)
    .cmp(RAX, imm(-E2BIG))
    .je('too long')
    .cmp(byte(mem(RBP)), imm(0))
    .je('no node');
  c.inc(RBP).jmp('element');

  const end = (label: string, text: string, status: number) => {
    c.label(label)
      .mov(EDI, imm(2))
      .lea(RSI, rip(`${label} text`))
      .mov(EDX, imm(text.length));
    call(SYS_write).mov(EDI, imm(status));
    call(SYS_exit_group);
    c.label(`${label} text`).text(text);
  };
  end('too long', TOO_LONG, STATUS_TOO_LONG);
  end('no node', NO_NODE, STATUS_NO_NODE);

  // rax in hexadecimal and a colon to rbp; changes rcx and rdx.
  c.label('hex').xor(RCX, RCX).bsr(RDX, RAX).cmovne(RCX, RDX).and(ECX, imm(-4));
  c.label('digit').mov(RDX, RAX).shr(RDX, CL).and(EDX, imm(15)).lea(RSI, rip('digits'));
  c.mov(DL, mem(RSI, 0, RDX))
    .mov(mem(RBP), DL)
    .inc(RBP)
    .sub(ECX, imm(4))
    .jns('digit');
  c.mov(byte(mem(RBP)), imm(0x3a))
    .inc(RBP)
    .ret();

  // Zero flag: the string at rax begins with the one at rsi; changes rcx, rdx and rsi.
  c.label('begins')
    .push(RAX)
    .label('compare')
    .mov(DL, mem(RSI))
    .test(DL, DL)
    .je('same')
    .cmp(mem(RAX), DL)
    .jne('same');
  c.inc(RAX).inc(RSI).jmp('compare').label('same').pop(RAX).ret();

  const text = (label: string, value: string) => c.label(label).text(`${value}\0`);
  text('digits', '0123456789abcdef');
  text('note', `${NOTE_NAME}=`);
  text('certificates', oldName);
  text('kept', newName);
  text('path', 'PATH=');
  text('default path', DEFAULT_PATH);
  text('exe', '/proc/self/exe');
  text('node', 'node');
  text('shell', '/bin/sh');
  text('sh', 'sh');
  for (const [i, flag] of NODE_FLAGS.entries()) text(`flag ${i}`, flag);
  return c;
}

/** The program, for a file that may be executed beside vedette.cjs. */
export function starterProgram(): Uint8Array {
  const code = assemble();
  return writeExecutable({
    entry: code.addressOf('start'),
    segments: [
      { vaddr: CODE_AT, bytes: code.finish(), flags: PF_R | PF_X },
      { vaddr: DATA_AT, bytes: new Uint8Array(8), flags: PF_R | PF_W, memsz: DATA_SIZE },
    ],
  });
}

// The machine code of notify.ts.

import { ETIMEDOUT } from '../abi/errno.ts';
import { POLLIN } from '../abi/events/poll.ts';
import {
  SECCOMP_IOCTL_NOTIF_RECV,
  SECCOMP_IOCTL_NOTIF_SEND,
  SIZEOF_SECCOMP_NOTIF,
} from '../abi/process/seccomp.ts';
import { SYS_ioctl, SYS_ppoll } from '../abi/syscall.ts';
import {
  Assembler,
  dword,
  imm,
  type MachineCode,
  mem,
  qword,
  R8,
  R10,
  R12,
  R13,
  RAX,
  RBX,
  RDI,
  RDX,
  RSI,
} from '../asm/index.ts';

// The block that the routine works on.
export const REQ = 0;
export const RESP = 128;
export const POLL = 192; // two struct pollfd: the listener, a pidfd
export const TIMEOUT = 224;
export const BLOCK_SIZE = 256;
export const POLLFD_FD = 0;
export const POLLFD_EVENTS = 4;
export const SIZEOF_POLLFD = 8;

// long exchange(block, fd, send): when `send`, answers; then waits until the listener or the pidfd is readable and
// receives. 0 received, 1 the pidfd is readable and the listener is not, or -errno of the step that failed.
const code = new Assembler();
code.label('exchange').push(RBX).push(R12).push(R13).mov(RBX, RDI).mov(R12, RSI);
code.test(RDX, RDX).je('wait');
code.mov(RAX, imm(SYS_ioctl)).mov(RDI, R12).mov(RSI, imm(SECCOMP_IOCTL_NOTIF_SEND)).mov(RDX, RBX);
code.add(RDX, imm(RESP)).syscall().test(RAX, RAX).js('out');
code.label('wait');
code.mov(RAX, imm(SYS_ppoll)).mov(RDI, RBX).add(RDI, imm(POLL)).mov(RSI, imm(2)).mov(RDX, RBX);
code.add(RDX, imm(TIMEOUT)).mov(R10, imm(0)).mov(R8, imm(8)).syscall();
code.test(RAX, RAX).js('out').je('late');
code.test(dword(mem(RBX, POLL + POLLFD_EVENTS)), imm(POLLIN << 16)).je('died');
for (let i = 0; i < SIZEOF_SECCOMP_NOTIF; i += 8) code.mov(qword(mem(RBX, REQ + i)), imm(0));
code.mov(RAX, imm(SYS_ioctl)).mov(RDI, R12).mov(RSI, imm(SECCOMP_IOCTL_NOTIF_RECV)).mov(RDX, RBX).syscall();
code.jmp('out');
code.label('died').mov(RAX, imm(1)).jmp('out');
code.label('late').mov(RAX, imm(-ETIMEDOUT));
code.label('out').pop(R13).pop(R12).pop(RBX).ret();
export const NOTIFY_CODE: MachineCode = code.image();

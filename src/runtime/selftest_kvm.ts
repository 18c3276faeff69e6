// KVM self-test: a virtual machine with one page of memory whose only instruction is hlt. KVM API: kvm(4),
// Documentation/virt/kvm/api.rst. On hosts whose nested virtualisation is broken, KVM_RUN never returns.

import { errnoName } from '../abi/errno.ts';
import { AT_FDCWD, O_CLOEXEC, O_RDWR } from '../abi/fs/fcntl.ts';

import { SYS_ioctl, SYS_openat } from '../abi/syscall.ts';
import { putU64 } from '../abi/u64.ts';
import { HostBuffer } from '../host/buffer.ts';
import { mapShared } from '../host/memory.ts';
import { hostCall } from '../host/syscall.ts';

const KVM_API_VERSION = 12;
const KVM_GET_API_VERSION = 0xae00;
const KVM_CREATE_VM = 0xae01;
const KVM_GET_VCPU_MMAP_SIZE = 0xae04;
const KVM_CREATE_VCPU = 0xae41;
const KVM_SET_USER_MEMORY_REGION = 0x4020ae46;
const KVM_RUN = 0xae80;
const KVM_SET_REGS = 0x4090ae82;
const KVM_GET_SREGS = 0x8138ae83;
const KVM_SET_SREGS = 0x4138ae84;
const KVM_EXIT_HLT = 5;
/** struct kvm_run.exit_reason. */
const EXIT_REASON = 8;
/** struct kvm_sregs: cs.base, cs.selector. */
const CS_BASE = 0;
const CS_SELECTOR = 12;
/** struct kvm_regs: rip, rflags. */
const REGS_RIP = 128;
const REGS_RFLAGS = 136;
const HLT = 0xf4;
const PAGE = 4096;

function must(what: string, r: number): number {
  if (r < 0) throw new Error(`${what}: ${errnoName(-r)}`);
  return r;
}

/** Throws an Error that says what fails; does not return at all where KVM hangs. */
export function testKvm(): string {
  const buffer = HostBuffer.alloc(512);
  const path = buffer.putString('/dev/kvm');
  const kvm = must('open /dev/kvm', hostCall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC));
  const version = must('KVM_GET_API_VERSION', hostCall(SYS_ioctl, kvm, KVM_GET_API_VERSION, 0));
  if (version !== KVM_API_VERSION)
    throw new Error(`KVM API version ${version} instead of ${KVM_API_VERSION}`);
  const vm = must('KVM_CREATE_VM', hostCall(SYS_ioctl, kvm, KVM_CREATE_VM, 0));
  const memory = HostBuffer.alloc(1 << 20);
  memory.u8[0] = HLT;
  buffer.u8.fill(0);
  // struct kvm_userspace_memory_region: slot, flags, guest_phys_addr, memory_size, userspace_addr
  putU64(buffer.view, 16, PAGE);
  putU64(buffer.view, 24, memory.addr);
  must('KVM_SET_USER_MEMORY_REGION', hostCall(SYS_ioctl, vm, KVM_SET_USER_MEMORY_REGION, buffer.addr));
  const vcpu = must('KVM_CREATE_VCPU', hostCall(SYS_ioctl, vm, KVM_CREATE_VCPU, 0));
  const size = must('KVM_GET_VCPU_MMAP_SIZE', hostCall(SYS_ioctl, kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
  const run = mapShared(vcpu, 0, size);
  if (typeof run === 'number') throw new Error(`mmap of the vcpu: ${errnoName(-run)}`);
  must('KVM_GET_SREGS', hostCall(SYS_ioctl, vcpu, KVM_GET_SREGS, buffer.addr));
  putU64(buffer.view, CS_BASE, 0);
  buffer.view.setUint16(CS_SELECTOR, 0, true);
  must('KVM_SET_SREGS', hostCall(SYS_ioctl, vcpu, KVM_SET_SREGS, buffer.addr));
  buffer.u8.fill(0);
  putU64(buffer.view, REGS_RIP, 0);
  putU64(buffer.view, REGS_RFLAGS, 2);
  must('KVM_SET_REGS', hostCall(SYS_ioctl, vcpu, KVM_SET_REGS, buffer.addr));
  must('KVM_RUN', hostCall(SYS_ioctl, vcpu, KVM_RUN, 0));
  const reason = new DataView(run.buffer).getUint32(EXIT_REASON, true);
  if (reason !== KVM_EXIT_HLT) throw new Error(`the guest ended with exit reason ${reason} instead of hlt`);
  return 'a minimal virtual machine runs';
}

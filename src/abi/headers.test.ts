// Compares every constant and struct layout of this folder with the C headers of this machine. A file's first comment
// names its headers, "Layout of T" names the C type of the offsets below it, and a comment behind an offset names the
// member where its C spelling is not simply the lower-case name: this test compiles what those comments say.
// suite: 8 s

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { needs } from '../../test/harness/needs.ts';

/** Names that the headers of Linux 6.1 lack; checked where newer headers are installed. */
const NEWER = words(`
    CACHESTAT_RANGE_OFF CACHESTAT_RANGE_LEN SIZEOF_CACHESTAT_RANGE SIZEOF_CACHESTAT
    CACHESTAT_NR_CACHE CACHESTAT_NR_DIRTY CACHESTAT_NR_WRITEBACK CACHESTAT_NR_EVICTED CACHESTAT_NR_RECENTLY_EVICTED
    SYS_uretprobe SYS_uprobe RSEQ_NODE_ID RSEQ_MM_CID
    SYS_cachestat SYS_fchmodat2 SYS_map_shadow_stack SYS_futex_wake SYS_futex_wait SYS_futex_requeue
    SYS_statmount SYS_listmount SYS_lsm_get_self_attr SYS_lsm_set_self_attr SYS_lsm_list_modules SYS_mseal
    SYS_setxattrat SYS_getxattrat SYS_listxattrat SYS_removexattrat SYS_open_tree_attr SYS_file_getattr
    SYS_file_setattr F_SEAL_EXEC F_DUPFD_QUERY F_CREATED_QUERY AT_RENAME_NOREPLACE AT_RENAME_EXCHANGE
    AT_RENAME_WHITEOUT AT_HANDLE_FID AT_HANDLE_MNT_ID_UNIQUE AT_HANDLE_CONNECTABLE AT_EXECVE_CHECK
    FALLOC_FL_WRITE_ZEROES STATX_MNT_ID_UNIQUE STATX_SUBVOL STATX_WRITE_ATOMIC STATX_DIO_READ_ALIGN
    STATX_ATTR_WRITE_ATOMIC MAP_DROPPABLE MADV_GUARD_INSTALL MADV_GUARD_REMOVE SHADOW_STACK_SET_TOKEN
    SHADOW_STACK_SET_MARKER MFD_NOEXEC_SEAL MFD_EXEC SCHED_EXT EPIOCSPARAMS EPIOCGPARAMS CLOCK_AUX
    FUTEX2_SIZE_U8 FUTEX2_SIZE_U16 FUTEX2_SIZE_U32 FUTEX2_SIZE_U64 FUTEX2_NUMA FUTEX2_MPOL FUTEX2_PRIVATE
    FUTEX2_SIZE_MASK FUTEX_NO_NODE PR_SET_MDWE PR_MDWE_REFUSE_EXEC_GAIN PR_MDWE_NO_INHERIT PR_GET_MDWE
    PR_SET_MEMORY_MERGE PR_GET_MEMORY_MERGE PR_GET_SHADOW_STACK_STATUS PR_SET_SHADOW_STACK_STATUS
    PR_LOCK_SHADOW_STACK_STATUS PR_TIMER_CREATE_RESTORE_IDS PR_FUTEX_HASH PR_SYS_DISPATCH_EXCLUSIVE_ON
    PR_SYS_DISPATCH_INCLUSIVE_ON ARCH_GET_UNTAG_MASK ARCH_ENABLE_TAGGED_ADDR ARCH_GET_MAX_TAG_BITS
    ARCH_FORCE_TAGGED_SVA ARCH_SHSTK_ENABLE ARCH_SHSTK_DISABLE ARCH_SHSTK_LOCK ARCH_SHSTK_UNLOCK
    ARCH_SHSTK_STATUS ARCH_SHSTK_SHSTK ARCH_SHSTK_WRSS SCM_PIDFD MSG_SOCK_DEVMEM SO_PASSPIDFD SO_PEERPIDFD
    SO_DEVMEM_LINEAR SO_DEVMEM_DMABUF SO_DEVMEM_DONTNEED SCM_TS_OPT_ID SO_RCVPRIORITY SO_PASSRIGHTS SO_INQ
    SCM_INQ SOL_VSOCK TCP_AO_ADD_KEY TCP_AO_DEL_KEY TCP_AO_INFO TCP_AO_GET_KEYS TCP_AO_REPAIR TCP_IS_MPTCP
    TCP_RTO_MAX_MS TCP_RTO_MIN_US TCP_DELACK_MAX_US AT_RSEQ_FEATURE_SIZE AT_RSEQ_ALIGN AT_HWCAP3 AT_HWCAP4
    NT_X86_SHSTK NT_X86_XSAVE_LAYOUT MOVE_MOUNT_BENEATH FSCONFIG_CMD_CREATE_EXCL LSMT_ROOT LISTMOUNT_REVERSE
    STATMOUNT_SB_BASIC STATMOUNT_MNT_BASIC STATMOUNT_PROPAGATE_FROM STATMOUNT_MNT_ROOT STATMOUNT_MNT_POINT
    STATMOUNT_FS_TYPE STATMOUNT_MNT_NS_ID STATMOUNT_MNT_OPTS STATMOUNT_FS_SUBTYPE STATMOUNT_SB_SOURCE
    STATMOUNT_OPT_ARRAY STATMOUNT_OPT_SEC_ARRAY STATMOUNT_SUPPORTED_MASK PID_FS_MAGIC GUEST_MEMFD_MAGIC
    RWF_NOAPPEND RWF_ATOMIC RWF_DONTCACHE SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
    PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG PTRACE_SET_SYSCALL_INFO
    MEMBARRIER_CMD_GET_REGISTRATIONS PIDFD_THREAD PIDFD_SIGNAL_THREAD PIDFD_SIGNAL_THREAD_GROUP
    PIDFD_SIGNAL_PROCESS_GROUP PIDFD_SELF_THREAD PIDFD_SELF_THREAD_GROUP PIDFD_GET_CGROUP_NAMESPACE
    PIDFD_GET_IPC_NAMESPACE PIDFD_GET_MNT_NAMESPACE PIDFD_GET_NET_NAMESPACE PIDFD_GET_PID_NAMESPACE
    PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE PIDFD_GET_TIME_NAMESPACE PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE
    PIDFD_GET_USER_NAMESPACE PIDFD_GET_UTS_NAMESPACE
    LANDLOCK_ACCESS_FS_TRUNCATE LANDLOCK_ACCESS_FS_IOCTL_DEV LANDLOCK_ACCESS_NET_BIND_TCP
    LANDLOCK_ACCESS_NET_CONNECT_TCP LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET LANDLOCK_SCOPE_SIGNAL
    LANDLOCK_RULESET_ATTR_HANDLED_ACCESS_NET LANDLOCK_RULESET_ATTR_SCOPED
`);

/** Names that no user-space header has: known only from the kernel's own headers. */
const KERNEL_ONLY = words(`
    LINUX_DIRENT_D_INO LINUX_DIRENT_D_OFF LINUX_DIRENT_D_RECLEN LINUX_DIRENT_D_NAME
    EPOLLNVAL
    ERESTARTSYS ERESTARTNOINTR ERESTARTNOHAND ENOIOCTLCMD ERESTART_RESTARTBLOCK EPROBE_DEFER EOPENSTALE
    UDPLITE_SEND_CSCOV UDPLITE_RECV_CSCOV ENOPARAM ENOTSUPP SA_IMMUTABLE SIGRTMAX _NSIG SIG_DFL SIG_IGN SCM_SECURITY MSG_SPLICE_PAGES
    MSG_CMSG_COMPAT SOL_UDP SOL_UDPLITE SOL_SCTP SOL_IPV6 SOL_TCP TCP_ESTABLISHED TCP_SYN_SENT TCP_SYN_RECV
    TCP_FIN_WAIT1 TCP_FIN_WAIT2 TCP_TIME_WAIT TCP_CLOSE TCP_CLOSE_WAIT TCP_LAST_ACK TCP_LISTEN TCP_CLOSING
    TCP_NEW_SYN_RECV MNT_FORCE MNT_DETACH MNT_EXPIRE UMOUNT_NOFOLLOW ST_VALID ST_NOSYMFOLLOW MQUEUE_MAGIC
    INOTIFYFS_SUPER_MAGIC PAGE_SIZE PAGE_SHIFT USER_HZ MAX_ARG_STRLEN MAX_ARG_STRINGS MAXSYMLINKS
    SWAP_FLAG_DISCARD_ONCE SWAP_FLAG_DISCARD_PAGES UTS_FIELD_SIZE XFEATURE_MASK_FP XFEATURE_MASK_SSE
    XFEATURE_MASK_YMM SIL_CHLD SIL_FAULT SIL_FAULT_BNDERR SIL_FAULT_MCEERR SIL_FAULT_PERF_EVENT
    SIL_FAULT_PKUERR SIL_KILL SIL_POLL SIL_RT SIL_SYS SIL_TIMER
`);

/** Names of KERNEL_ONLY that a C library header has after all, one that does not go together with Linux's. */
const ELSEWHERE: Record<string, Set<string>> = {
  'sys/mount.h': words('MNT_FORCE MNT_DETACH MNT_EXPIRE UMOUNT_NOFOLLOW'),
  'netinet/tcp.h':
    words(`TCP_ESTABLISHED TCP_SYN_SENT TCP_SYN_RECV TCP_FIN_WAIT1 TCP_FIN_WAIT2 TCP_TIME_WAIT TCP_CLOSE
    TCP_CLOSE_WAIT TCP_LAST_ACK TCP_LISTEN TCP_CLOSING SOL_TCP`),
  'netinet/udp.h': words('SOL_UDP'),
  'netinet/in.h': words('SOL_IPV6'),
  'sys/user.h': words('PAGE_SIZE PAGE_SHIFT'),
  'linux/eventpoll.h': words('EPOLLNVAL'),
  'signal.h': words('SIGRTMAX SIG_DFL SIG_IGN'),
  'linux/signal.h': words('SS_ONSTACK SS_DISABLE SS_AUTODISARM'),
};

/** Words of a C expression that no header has to know. */
const KEYWORDS = new Set(['struct', 'sizeof', 'offsetof']);

/** Files that hold helpers and have no header. */
const HELPERS = ['bytes', 'fs/kdev', 'u64'];

/** Kernel version that the values were taken from: 6.1, as LINUX_VERSION_CODE has it. */
const REFERENCE_VERSION = 0x0601;

/** What grows from one kernel to the next: compared strictly only with headers of the reference version. */
const GROWS = /(^|_)(MAX|LAST|LAST_CAP|ALL|MASK|CNT|FEATURES|IOCTLS)$|^SIZEOF_/;

/** One value to compare: `expr` is C. */
type Check = { name: string; expr: string; value: number | string };

type Family = { file: string; headers: string[]; checks: Check[] };

function words(text: string): Set<string> {
  return new Set(text.trim().split(/\s+/));
}

/** The constants and struct members of one file: values from the module, C spellings from its comments. */
async function readFamily(dir: string, file: string): Promise<Family> {
  const module: Record<string, unknown> = await import(join(dir, `${file}.js`));
  const source = readFileSync(join(dir, `${file}.js`), 'utf8');
  const headers = [...source.slice(0, source.indexOf('*/')).matchAll(/<([\w/.-]+\.h)>/g)].map((m) => m[1]!);
  const checks: Check[] = [];
  const found = new Set<string>();
  let type: string | null = null;
  let prefix: string | null = null;
  for (const line of source.split('\n')) {
    const layout = /^\/\*\* Layout of ([\w ]+)[.;]/.exec(line)?.[1];
    const match = /^export const (\w+) = [^;]+;(?: \/\/ (\S+))?/.exec(line);
    if (layout !== undefined || match === null) {
      type = layout ?? null;
      prefix = null;
    }
    const name = match?.[1];
    if (name === undefined) continue;
    found.add(name);
    const value = module[name];
    if (typeof value !== 'number' && typeof value !== 'string') continue;
    if (type === null) {
      checks.push({ name, expr: file === 'syscall' ? name.replace(/^SYS_/, '__NR_') : name, value });
    } else if (name.startsWith('SIZEOF_')) {
      prefix = name.slice('SIZEOF_'.length);
      checks.push({ name, expr: `sizeof(${type})`, value });
    } else {
      prefix ??= type.replace(/^struct /, '').toUpperCase();
      assert.ok(name.startsWith(`${prefix}_`), `${file}: ${name} does not begin with ${prefix}_`);
      const member = match?.[2] ?? name.slice(prefix.length + 1).toLowerCase();
      checks.push({ name, expr: `offsetof(${type}, ${member})`, value });
    }
  }
  for (const [name, value] of Object.entries(module)) {
    assert.ok(typeof value === 'function' || found.has(name), `${file}: ${name} was not found in the source`);
  }
  return { file, headers, checks };
}

function cc(args: string[], input = ''): string {
  const run = spawnSync('cc', ['-w', '-D_GNU_SOURCE', ...args], {
    encoding: 'utf8',
    input,
    maxBuffer: 1 << 28,
  });
  assert.equal(run.status, 0, `cc ${args.join(' ')}\n${run.stderr}`);
  return run.stdout;
}

const includes = (headers: string[]) => headers.map((h) => `#include <${h}>\n`).join('');

/** Every identifier in the headers: macros and enumerators alike, which #ifdef could not tell. */
function identifiers(headers: string[]): Set<string> {
  return new Set(cc(['-E', '-dD', '-xc', '-'], includes(headers)).match(/\b[A-Za-z_]\w*/g));
}

/** Which of the checks the headers can answer: those whose constant, or type and member, they mention. */
function answerable(family: Family): Check[] {
  const known = identifiers(family.headers);
  return family.checks.filter(({ expr }) => {
    return expr.match(/[A-Za-z_]\w*/g)!.every((word) => KEYWORDS.has(word) || known.has(word));
  });
}

/** C that prints name, kind and value of each check on a line. */
function cFunction(name: string, headers: string[], checks: Check[]): string {
  const lines = checks.map(({ name, expr, value }) => {
    if (typeof value === 'string') return `printf("${name} text 0 %s\\n", ${expr});`;
    const kind = `(__typeof__(${expr}))-1 > 0 ? "unsigned" : "signed"`;
    return `printf("${name} %s %d %llx\\n", ${kind}, (int)sizeof(${expr}), (unsigned long long)(${expr}));`;
  });
  return `${includes(headers)}#include <stddef.h>
int printf(const char *, ...);
void ${name}(void) {
${lines.join('\n')}
}
`;
}

/** Does the printed value equal ours? A number holds ~0UL as 2^64, and an int with bit 31 set as unsigned. */
function equal(kind: string, size: number, text: string, value: number | string): boolean {
  if (typeof value === 'string') return text === value;
  const bits = BigInt(`0x${text}`);
  const ours = BigInt(value);
  if (ours === 1n << 64n) return bits === (1n << 64n) - 1n;
  if (kind === 'unsigned') return ours === bits;
  const signed = BigInt.asIntN(64, bits);
  return ours === signed || (size === 4 && signed < 0n && ours === signed + (1n << 32n));
}

test('constants and layouts equal those of the C headers', needs('cc'), async (t) => {
  const dir = import.meta.dirname;
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js') && !name.includes('.test.') && name !== 'index.js')
    .map((name) => name.slice(0, -'.js'.length));
  const all = await Promise.all(files.map((file) => readFamily(dir, file)));
  // Of a folder's file the name is enough: no two are the same.
  const families = all.filter((f) => f.headers.length > 0).map((f) => ({ ...f, file: basename(f.file) }));
  const helpers = all.filter((f) => f.headers.length === 0).map((f) => f.file);
  assert.deepEqual(helpers.sort(), HELPERS);
  const exported = new Map(families.flatMap((f) => f.checks).map((check) => [check.name, check]));
  for (const [header, names] of Object.entries(ELSEWHERE)) {
    const checks = [...names].map((name) => exported.get(name)!);
    families.push({ file: header.replace(/\W/g, '_'), headers: [header], checks });
  }

  const work = mkdtempSync(join(tmpdir(), 'abi-headers-'));
  t.after(() => rmSync(work, { recursive: true }));
  const sources: string[] = [];
  const asked = new Set<string>();
  for (const family of families) {
    const isElsewhere = family.headers[0]! in ELSEWHERE && family.headers.length === 1;
    const checks = answerable(family).filter((c) => isElsewhere || !KERNEL_ONLY.has(c.name));
    for (const check of checks) asked.add(check.name);
    const path = join(work, `${family.file}.c`);
    writeFileSync(path, cFunction(`check_${family.file}`, family.headers, checks));
    sources.push(path);
  }
  const main = join(work, 'all_families.c');
  const calls = families.map((f) => `check_${f.file}();`);
  writeFileSync(main, `int main(void) { ${calls.join(' ')} return 0; }\n`);
  cc(['-o', join(work, 'check'), main, ...sources]);

  const version = cc(['-E', '-P', '-xc', '-'], '#include <linux/version.h>\nLINUX_VERSION_CODE');
  const isReference = Number(version) >> 8 === REFERENCE_VERSION;
  const wrong: string[] = [];
  const compared = new Set<string>();
  const output = spawnSync(join(work, 'check'), { encoding: 'utf8', maxBuffer: 1 << 28 }).stdout;
  for (const line of output.trim().split('\n')) {
    const [name, kind, size, text] = line.split(' ') as [string, string, string, string];
    const { expr, value } = exported.get(name)!;
    compared.add(name);
    if (equal(kind, Number(size), text, value) || (!isReference && GROWS.test(name))) continue;
    wrong.push(`${name} is ${value}, ${expr} is ${kind} ${text}`);
  }
  assert.deepEqual(wrong, []);
  assert.deepEqual([...asked].sort(), [...compared].sort(), 'every question was answered');

  const absent = [...exported.keys()].filter((name) => !compared.has(name));
  const unexplained = absent.filter((name) => !NEWER.has(name) && !KERNEL_ONLY.has(name));
  if (isReference) assert.deepEqual(unexplained, [], 'in no header, and neither in NEWER nor in KERNEL_ONLY');
  const stale = [...NEWER, ...KERNEL_ONLY].filter((name) => !exported.has(name));
  assert.deepEqual(stale, [], 'listed, but not exported');
  t.diagnostic(`${compared.size} of ${exported.size} values compared; in no header: ${absent.join(' ')}`);
  assert.ok(compared.size > 5500 && compared.size > 0.95 * exported.size, `${compared.size} compared`);
});

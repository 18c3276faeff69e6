// What is said of the platforms by name: which there are, which one `auto` takes, and what all of them refuse. guest.test.ts runs programs on each.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { compileGuest, runInside, vedette } from './harness/guest.ts';
import { needs } from './harness/needs.ts';

// Natively it depends on the kernel and the hypervisor; inside it is what Linux 5.14 and later do on a processor of their own.
test(
  'a signal frame with an unaligned XSAVE state is refused on each platform',
  needs('inside', 'gcc'),
  async () => {
    const binary = await compileGuest('hostile_signals');
    for (const platform of ['systrap', 'ptrace']) {
      const inside = await runInside([binary, 'moved_fpu_state'], {
        flags: [`--platform=${platform}`],
        env: { UNALIGNED_EXACT: '1' },
      });
      assert.equal(inside.status, 0, inside.stdout + inside.stderr);
      const outcomes = [...inside.stdout.matchAll(/^(.*) at (\d+): (.*)$/gm)];
      assert.equal(outcomes.length, 27);
      for (const [line, kind, place, outcome] of outcomes) {
        const aligned = Number(place) % (kind === 'whole state' ? 64 : 16) === 0;
        assert.equal(outcome, aligned ? 'went on' : 'SIGSEGV, code 128', `${platform}: ${line}`);
      }
    }
  },
);

// Runs its arguments where seccomp(2) is refused, as some container profiles do.
const WITHOUT_SECCOMP = `
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof code / sizeof *code, code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 98;
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) return 99;
  execv(argv[1], argv + 1);
  return 97;
}`;

describe('the choice of a platform', needs('inside'), () => {
  test('auto takes ptrace where systrap cannot be, and systrap says why', needs('cc'), () => {
    const dir = mkdtempSync(join(tmpdir(), 'vedette-platform-'));
    try {
      const wrapper = join(dir, 'without-seccomp');
      writeFileSync(`${wrapper}.c`, WITHOUT_SECCOMP);
      assert.equal(spawnSync('cc', ['-o', wrapper, `${wrapper}.c`]).status, 0);
      const run = (...flags: string[]) =>
        spawnSync(wrapper, [...vedette, ...flags, '--', 'echo', 'ran'], {
          encoding: 'utf8',
          timeout: 60_000,
        });
      const auto = run();
      assert.deepEqual([auto.status, auto.stdout], [0, 'ran\n'], auto.stderr);
      const systrap = run('--platform=systrap');
      assert.equal(systrap.status, 125);
      assert.match(systrap.stderr, /^vedette: systrap platform: .* failed/);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  test('names that do not exist, and kvm, are refused', () => {
    for (const [name, reason] of [
      ['kvm', /this version has none/],
      ['vmx', /unknown; fix: one of: auto, systrap, ptrace/],
    ] as const) {
      const r = spawnSync(vedette[0]!, [...vedette.slice(1), `--platform=${name}`, 'true'], {
        encoding: 'utf8',
      });
      assert.equal(r.status, 125);
      assert.match(r.stderr, reason);
    }
  });
});

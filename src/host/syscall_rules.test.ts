// The filter says of every call what the rules say: on the host's own evaluation, in a process of its own.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO } from '../abi/process/seccomp.ts';
import { installFilter } from './seccomp.ts';
import { hostCall } from './syscall.ts';
import { type Allowed, bits, int, type Match, type Rule, SyscallRules, within } from './syscall_rules.ts';

// Numbers that no Linux has, so that Node.js does not need them and the host does nothing.
const FIRST = 600;
const COUNT = 40;
const YES = 77;
const NO = 78;
const OTHER = 38; // ENOSYS, the host's own answer

interface Call {
  readonly nr: number;
  readonly args: readonly number[];
}

/** In the child: `rows` as a filter, and what each call came back with. */
if (process.env.VEDETTE_TEST_RULES !== undefined) {
  const { rows, calls } = JSON.parse(process.env.VEDETTE_TEST_RULES) as { rows: Allowed[]; calls: Call[] };
  const rules = new SyscallRules().merge(
    rows.map((r) => ({ ...r, rule: r.rule.map((m) => m ?? undefined) })),
  );
  installFilter(rules.compile(SECCOMP_RET_ERRNO | YES, SECCOMP_RET_ERRNO | NO, SECCOMP_RET_ALLOW));
  process.stdout.write(JSON.stringify(calls.map(({ nr, args }) => -hostCall(nr, ...args))));
} else {
  const base = fc.constantFrom(0, 1, 0x7f00_0000_0000, 0x7f00_fff0_0000, 0x1_0000_0000);
  const near = fc.integer({ min: -4, max: 4 });
  const size = fc.constantFrom(0, 1, 4096, 2 ** 20 - 1);
  const value = fc.oneof(
    fc.tuple(base, near).map(([b, d]) => b + d),
    fc.tuple(base, size, near).map(([b, s, d]) => b + s + d),
    near,
    fc.constantFrom(-1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 31 - 1, 0xffff_ffff_0000),
    fc.integer({ min: 0, max: 2 ** 32 }),
  );
  const match: fc.Arbitrary<Match | undefined> = fc.oneof(
    fc.constant(undefined),
    fc.integer({ min: -3, max: 3 }).map(int),
    fc.tuple(fc.integer(), fc.integer()).map(([mask, v]) => bits(mask, v & mask)),
    fc.tuple(base, size, fc.integer({ min: 0, max: 5 })).map(([b, s, at]) => within(b, s, at)),
  );
  const rule: fc.Arbitrary<Rule> = fc.array(match, { maxLength: 3 });
  const row = fc.record({
    nr: fc.integer({ min: FIRST, max: FIRST + COUNT }),
    rule,
    why: fc.constant(''),
  });
  const call: fc.Arbitrary<Call> = fc.record({
    nr: fc.integer({ min: FIRST - 1, max: FIRST + COUNT + 1 }),
    args: fc.array(value, { minLength: 6, maxLength: 6 }),
  });

  test("the host's verdict is that of the rules", () => {
    let allowed = 0;
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 1, maxLength: 60 }),
        fc.array(call, { minLength: 300, maxLength: 300 }),
        (rows, calls) => {
          const child = spawnSync(process.execPath, [import.meta.filename], {
            env: { ...process.env, VEDETTE_TEST_RULES: JSON.stringify({ rows, calls }) },
            encoding: 'utf8',
          });
          assert.equal(child.status, 0, child.stderr);
          const verdicts = JSON.parse(child.stdout) as number[];
          const rules = new SyscallRules().merge(rows);
          const known = rules.numbers;
          calls.forEach(({ nr, args }, i) => {
            const says = rules.allows(
              nr,
              args.map((a) => BigInt.asUintN(64, BigInt(a))),
            )
              ? YES
              : NO;
            if (says === YES) allowed++;
            assert.equal(verdicts[i], known.includes(nr) ? says : OTHER, JSON.stringify({ nr, args, rows }));
          });
        },
      ),
      { numRuns: 12 },
    );
    assert.ok(allowed > 100, `only ${allowed} calls were allowed`);
  });

  test('a piece that goes beyond the range, around its end or round 2^64, is refused', () => {
    const rules = new SyscallRules().allow(1, [within(0x7f00_0010_0000, 0x1000, 1)]);
    const ask = (from: bigint, length: bigint) => rules.allows(1, [from, length, 0n, 0n, 0n, 0n]);
    assert.ok(ask(0x7f00_0010_0000n, 0x1000n));
    assert.ok(ask(0x7f00_0010_1000n, 0n));
    assert.ok(!ask(0x7f00_0010_0000n, 0x1001n));
    assert.ok(!ask(0x7f00_000f_ffffn, 1n));
    assert.ok(!ask(0x7f00_0010_0800n, 0xffff_ffff_ffff_f900n));
  });
}

// Rules of every version of the interface that this kernel has: each leaves out what it does not know.
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { needs } from '../../test/harness/needs.ts';
import { EBADF, EINVAL } from '../abi/errno.ts';
import {
  LANDLOCK_ACCESS_FS_IOCTL_DEV,
  LANDLOCK_ACCESS_FS_READ_DIR,
  LANDLOCK_ACCESS_FS_READ_FILE,
  LANDLOCK_ACCESS_FS_REFER,
  LANDLOCK_ACCESS_FS_TRUNCATE,
  LANDLOCK_ACCESS_NET_CONNECT_TCP,
  LANDLOCK_SCOPE_SIGNAL,
} from '../abi/process/landlock.ts';
import { landlockAbi, Ruleset } from './landlock.ts';

const ALL = 0xffff;
/** The first version that knows it. */
const SINCE: readonly (readonly [number, number])[] = [
  [LANDLOCK_ACCESS_FS_READ_FILE, 1],
  [LANDLOCK_ACCESS_FS_REFER, 2],
  [LANDLOCK_ACCESS_FS_TRUNCATE, 3],
  [LANDLOCK_ACCESS_FS_IOCTL_DEV, 5],
];

test('each version takes what it knows', needs('landlock'), () => {
  const newest = landlockAbi();
  const directory = openSync('/etc', 'r');
  const file = openSync('/etc/passwd', 'r');
  try {
    for (let abi = 1; abi <= newest; abi++) {
      const rules = Ruleset.create(abi, ALL, LANDLOCK_ACCESS_NET_CONNECT_TCP, LANDLOCK_SCOPE_SIGNAL);
      if (typeof rules === 'number') assert.fail(`version ${abi}: ${rules}`);
      for (const [access, since] of SINCE)
        assert.equal((rules.handled & access) !== 0, abi >= since, `version ${abi}: ${access}`);
      assert.equal(rules.allow(directory, ALL, true), 0);
      assert.equal(rules.allow(file, ALL, false), 0);
      // What makes no sense of a file is left out, and with it the rule.
      assert.equal(rules.allow(file, LANDLOCK_ACCESS_FS_READ_DIR, false), 0);
      assert.equal(rules.allow(file, LANDLOCK_ACCESS_FS_READ_DIR, true), -EINVAL);
      assert.equal(rules.allow(9999, ALL, true), -EBADF);
      rules.close();
    }
  } finally {
    closeSync(directory);
    closeSync(file);
  }
});

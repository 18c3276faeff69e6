// Host files whose inode numbers have all 64 bits, as overlayfs with xino=on gives them: each is itself inside, by content,
// owner, mode and number.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemPath, vedette } from './harness/guest.ts';
import { needs } from './harness/needs.ts';

const FILES = 40;
// Two file systems: the numbers of the lower one's files get its number in their high bits.
const MOUNTS = `
set -e
mount -t tmpfs top "$PLACE"
cd "$PLACE"
mkdir upper lower both
mount -t tmpfs upper upper
mount -t tmpfs lower lower
mkdir upper/files upper/work lower/files
for i in $(seq ${FILES}); do echo "content $i" > lower/files/f$i; chmod $(printf %o $((256 + i))) lower/files/f$i; done
ln lower/files/f1 lower/files/twin
mount -t overlay -o lowerdir=lower/files,upperdir=upper/files,workdir=upper/work,xino=on both both
"$@"
`;
const LOOK = 'cd "$PLACE/both" && stat -c "%n %i %a %h" * && cat f* && ls -i';

test('files of an overlay with xino=on', needs('inside', 'user namespaces', 'unshare'), (t) => {
  const place = mkdtempSync(join(tmpdir(), 'vedette-inodes-'));
  t.after(() => rmSync(place, { recursive: true, force: true }));
  const look = (command: string[]): string => {
    const words = ['-rm', 'sh', '-c', MOUNTS, 'sh', ...command, 'sh', '-c', LOOK];
    const env = { PATH: systemPath, LC_ALL: 'C', PLACE: place };
    const r = spawnSync('unshare', words, { encoding: 'utf8', env });
    return r.status === 0 ? r.stdout : r.stderr;
  };
  const native = look([]);
  if (/^mount: /m.test(native)) return t.skip('no overlayfs in a user namespace');
  const numbers = native.match(/[0-9]{17,}/g) ?? [];
  assert.ok(numbers.length >= 2 * FILES, native);
  for (const platform of ['systrap', 'ptrace'])
    assert.equal(look([...vedette, `--platform=${platform}`, '--']), native, platform);
});

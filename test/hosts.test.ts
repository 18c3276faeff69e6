// Kinds of hosts that any machine can imitate: the fastest and most telling cells of the matrix (scripts/hosts.mjs has all).
// Each runs a pipeline in the sandbox, on the platform that auto chooses; what this machine cannot make is skipped.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { distDir } from './harness/guest.ts';

const command = join(distDir, 'vedette.cjs');
const isRoot = process.getuid!() === 0;
const vedette = `"${process.execPath}" "${command}" do -- sh -c 'uname -s; echo inside | tr a-z A-Z'`;

function sh(text: string): { status: number | null; stdout: string; stderr: string } {
  return spawnSync('/bin/sh', ['-c', text], { encoding: 'utf8', timeout: 60_000 });
}

/** Can this machine run `text`? If not, the reason to skip. */
function cannot(what: string, text: string): string | false {
  return sh(`${text} > /dev/null 2>&1`).status === 0 ? false : `this machine cannot make ${what}`;
}

const newMounts = isRoot ? 'unshare -m' : 'unshare -Urm';
const noMounts = cannot('a mount namespace', `${newMounts} mount -t tmpfs none /mnt`);
const bare = 'setpriv --bounding-set=-all --inh-caps=-all --no-new-privs';
const noBare = isRoot ? cannot('processes without capabilities', `${bare} true`) : 'needs root';
const inMounts = (steps: string) => `${newMounts} sh -c '${steps} && exec "$0" "$@"' env sh -c "$COMMAND"`;

function works(name: string, text: string, skip: string | false): void {
  test(name, { skip }, () => {
    const r = sh(
      text.replaceAll('$COMMAND', vedette.replaceAll(/["$`\\]/g, '\\$&')).replaceAll('VEDETTE', vedette),
    );
    assert.deepEqual([r.status, r.stdout, r.stderr], [0, 'Linux\nINSIDE\n', '']);
  });
}

describe('hosts', () => {
  works('64 open files', 'ulimit -n 64; VEDETTE', false);
  works('an address space of 2 GB', 'ulimit -v 2000000; VEDETTE', false);
  works('files of at most 100 MB', 'ulimit -f 200000; VEDETTE', false);
  works(
    'no home and no cache folder',
    'unset HOME; XDG_CACHE_HOME=/proc/none; export XDG_CACHE_HOME; VEDETTE',
    false,
  );
  works('no capabilities and no_new_privs', `${bare} VEDETTE`, noBare);
  works('one cpu', 'taskset -c 0 VEDETTE', cannot('a set of one cpu', 'taskset -c 0 true'));
  works('read-only root', inMounts('mount -o remount,bind,ro /'), noMounts);
  works('no /proc', inMounts('mount -t tmpfs none /proc'), noMounts);
  const hidden = distDir.startsWith('/tmp/') && 'this tree is in /tmp';
  works('noexec /tmp', inMounts('mount -t tmpfs -o noexec none /tmp'), noMounts || hidden);

  for (const [name, text, said] of [
    ['40 open files', 'ulimit -n 40; VEDETTE', /open files are too few; fix: .*ulimit -n/],
    ['no file may be written', 'ulimit -f 0; VEDETTE', /too few for guest memory; fix: .*ulimit -f/],
  ] as const)
    test(`${name}: one line says why not`, () => {
      const r = sh(text.replaceAll('VEDETTE', vedette));
      assert.deepEqual([r.status, r.stdout, r.stderr.split('\n').length], [125, '', 2], r.stderr);
      assert.match(r.stderr, said);
    });
});

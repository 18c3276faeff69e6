// What the launcher and the command line need of the kernel's bundle. Nothing is imported later here: modules that are
// always needed need no wrapping and no order of their own, which makes the bundle smaller and its start faster.

import { callerWords } from './caller.ts';
import { runDo } from './do.ts';
import { runBoot } from './oci/boot.ts';
import { parsePlain } from './plain.ts';

export { runBoot, runDo };

/** Runs the caller's command line when it is a plain `do`; false when commander must read it. */
export function runPlain(): boolean {
  const plain = parsePlain(callerWords());
  if (plain === null) return false;
  void runDo(plain.command, plain.flags);
  return true;
}

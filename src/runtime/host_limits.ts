// Limits of the host under which no sandbox can start: said before anything is tried, with the fix.

import { RLIMIT_AS, RLIMIT_FSIZE } from '../abi/resource.ts';
import { hostLimit, maxHostFiles, raiseHostLimit } from '../host/limits.ts';

/** Node.js has some twenty descriptors, the Sentry a dozen, and every process and open directory of the guest one. */
const LEAST_FILES = 64;
/** Guest memory is a file of the host that is as large, though never written to a disk. */
const LEAST_FILE_BYTES = 32 * 2 ** 20;

/** What is too small for any sandbox, and the fix, in one line; null when all is well. */
export function limitTooSmall(): string | null {
  if (maxHostFiles < LEAST_FILES)
    return `${maxHostFiles} open files are too few; fix: raise "ulimit -n" to ${LEAST_FILES} or more`;
  raiseHostLimit(RLIMIT_AS);
  const fileBytes = hostLimit(RLIMIT_FSIZE);
  if (fileBytes < LEAST_FILE_BYTES)
    return `files may have ${fileBytes} bytes, which is too few for guest memory; fix: "ulimit -f unlimited"`;
  return null;
}

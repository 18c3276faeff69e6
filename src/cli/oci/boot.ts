// `boot SYNC`: the process that is a container. It ends as the container's first program did.

import { exitBySignal, exitProcess } from '../../host/exit.ts';
import { bootContainer } from '../../runtime/oci/boot.ts';

const STATUS_NOT_BUILT = 1;

export function runBoot(sync: number): never {
  const status = bootContainer(sync);
  if (status === null) exitProcess(STATUS_NOT_BUILT);
  if ((status & 0x7f) !== 0) exitBySignal(status & 0x7f);
  exitProcess((status >> 8) & 0xff);
}

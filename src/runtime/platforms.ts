// createPlatform: the platforms by name.

import type { MemoryFile } from '../sentry/memfile/memfile.ts';
import type { Platform } from '../sentry/platform/platform.ts';
import { PtracePlatform } from '../sentry/platform/ptrace/ptrace.ts';
import { SystrapPlatform } from '../sentry/platform/systrap/systrap.ts';
import { STATUS_USAGE, StartError } from './options.ts';

type Make = (memfile: MemoryFile, pollerFd: number, patchCalls: boolean) => Platform;

const PLATFORMS: Readonly<Record<string, Make>> = {
  ptrace: (memfile, pollerFd) => new PtracePlatform(memfile, pollerFd),
  systrap: (memfile, pollerFd, patchCalls) => new SystrapPlatform(memfile, pollerFd, { patchCalls }),
};

/** Names that --platform takes. */
export function platformNames(): string[] {
  return Object.keys(PLATFORMS);
}

/** Starts a platform. Throws StartError for an unknown name, and when the host does not allow what it needs. */
export function createPlatform(
  name: string,
  memfile: MemoryFile,
  pollerFd: number,
  patchCalls: boolean,
): Platform {
  const make = Object.hasOwn(PLATFORMS, name) ? PLATFORMS[name] : undefined;
  if (make === undefined)
    throw new StartError(
      `--platform ${name}: unknown; there are: ${platformNames().join(', ')}`,
      STATUS_USAGE,
    );
  try {
    return make(memfile, pollerFd, patchCalls);
  } catch (error) {
    throw new StartError(`${(error as Error).message}; "vedette doctor" tells more`, STATUS_USAGE);
  }
}

// createPlatform: the platforms by name, and the choice of one.

import { cpuid } from '../host/cpuid.ts';
import { log } from '../sentry/base/log.ts';
import type { MemoryFile } from '../sentry/memfile/memfile.ts';
import type { Platform } from '../sentry/platform/platform.ts';
import { PtracePlatform } from '../sentry/platform/ptrace/ptrace.ts';
import { canPatchCalls, chooseBases } from '../sentry/platform/systrap/features.ts';
import { SystrapPlatform } from '../sentry/platform/systrap/systrap.ts';
import { STATUS_USAGE, StartError } from './options.ts';

/** What the person who starts a sandbox chooses of a platform. */
export interface PlatformChoices {
  /** auto, systrap or ptrace. */
  readonly platform: string;
  readonly patchCalls: boolean;
  /** auto, on or off: systrap uses rdfsbase and its like. */
  readonly fsgsbase: string;
}

/** CPUID.1:ECX: the kernel lets programs use xsave and its like. */
const CPUID_OSXSAVE = 1 << 27;

/** Throws an Error when the processor lacks what every platform needs: the layout of signal frames and of saved registers. */
export function checkProcessor(): void {
  if ((cpuid(1, 0)[2]! & CPUID_OSXSAVE) === 0)
    throw new Error(
      'the processor offers no XSAVE: one of 2011 or later has it, but "noxsave" on the kernel command line or a hypervisor may hide it',
    );
}

type Make = (memfile: MemoryFile, pollerFd: number, choices: PlatformChoices) => Platform;

const makePtrace: Make = (memfile, pollerFd) => new PtracePlatform(memfile, pollerFd);

const makeSystrap: Make = (memfile, pollerFd, { patchCalls, fsgsbase }) =>
  new SystrapPlatform(memfile, pollerFd, {
    patchCalls: patchCalls && canPatchCalls(),
    bases: chooseBases(fsgsbase),
  });

/** systrap where the host allows it, for it is many times faster; else ptrace, and the log says why. */
const makeAuto: Make = (memfile, pollerFd, choices) => {
  try {
    return makeSystrap(memfile, pollerFd, choices);
  } catch (error) {
    const why = (error as Error).message;
    log(`${why}; ptrace instead`);
    try {
      return makePtrace(memfile, pollerFd, choices);
    } catch (second) {
      throw new Error(`${why}; ${(second as Error).message}`);
    }
  }
};

const PLATFORMS: Readonly<Record<string, Make>> = {
  auto: makeAuto,
  systrap: makeSystrap,
  ptrace: makePtrace,
  kvm: () => {
    throw new Error('kvm platform: this version has none; fix: --platform auto, systrap or ptrace');
  },
};

/** Names that --platform takes. */
export function platformNames(): string[] {
  return Object.keys(PLATFORMS);
}

/** Starts a platform. Throws StartError for an unknown name, and when the host does not allow what it needs. */
export function createPlatform(memfile: MemoryFile, pollerFd: number, choices: PlatformChoices): Platform {
  const name = choices.platform;
  const make = Object.hasOwn(PLATFORMS, name) ? PLATFORMS[name] : undefined;
  if (make === undefined)
    throw new StartError(`--platform ${name}: unknown; fix: one of: auto, systrap, ptrace`, STATUS_USAGE);
  try {
    checkProcessor();
    return make(memfile, pollerFd, choices);
  } catch (error) {
    throw new StartError(`${(error as Error).message}; "vedette doctor" tells more`, STATUS_USAGE);
  }
}

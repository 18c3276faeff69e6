// What of config.json a container is made from: https://github.com/opencontainers/runtime-spec, config.md and
// config-linux.md, version 1.3. Plain data: it travels to the boot process as JSON.

import type { SpecResources } from './read_resources.ts';
import type { SpecSeccomp } from './read_seccomp.ts';

export interface SpecRlimit {
  /** RLIMIT_* number. */
  readonly resource: number;
  /** null for RLIM_INFINITY, which JSON has no word for. */
  readonly soft: number | null;
  readonly hard: number | null;
}

/** Capability sets as two words each. */
export interface SpecCaps {
  readonly bounding: readonly [number, number];
  readonly effective: readonly [number, number];
  readonly inheritable: readonly [number, number];
  readonly permitted: readonly [number, number];
  readonly ambient: readonly [number, number];
}

export interface SpecProcess {
  readonly terminal: boolean;
  readonly consoleSize: { readonly height: number; readonly width: number } | null;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly umask: number;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly caps: SpecCaps;
  readonly rlimits: readonly SpecRlimit[];
  readonly noNewPrivileges: boolean;
  readonly oomScoreAdj: number | null;
}

export interface SpecDevice {
  readonly path: string;
  /** c, u, b or p. */
  readonly type: string;
  readonly major: number;
  readonly minor: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface SpecMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  /** MS_* that the mount gets. */
  readonly flags: number;
  /** What is for the file system itself: size=64m. */
  readonly data: string;
  readonly bind: boolean;
  readonly recursive: boolean;
}

export interface SpecHook {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** Seconds; 0 for none. */
  readonly timeout: number;
}

export const HOOK_KINDS = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const;
export type HookKind = (typeof HOOK_KINDS)[number];

export interface SpecNamespace {
  readonly type: string;
  /** An existing one to join; null for a new one. */
  readonly path: string | null;
}

export interface Spec {
  readonly ociVersion: string;
  readonly hostname: string | null;
  readonly domainname: string | null;
  readonly rootPath: string;
  readonly rootReadonly: boolean;
  readonly process: SpecProcess;
  readonly mounts: readonly SpecMount[];
  readonly hooks: Readonly<Record<HookKind, readonly SpecHook[]>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly namespaces: readonly SpecNamespace[];
  readonly devices: readonly SpecDevice[];
  readonly sysctl: Readonly<Record<string, string>>;
  /** personality(2) of what runs. */
  readonly personality: number;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly seccomp: SpecSeccomp | null;
  readonly cgroupsPath: string | null;
  readonly resources: SpecResources;
  /** What was asked for and is not done: a line for the log each. */
  readonly warnings: readonly string[];
}

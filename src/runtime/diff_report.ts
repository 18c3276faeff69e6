// --diff: what a run has changed of the files that it saw, printed when the sandbox ends. Loaded only when asked for.

import { openSync } from 'node:fs';
import { STDERR, writeAll } from '../host/write_all.ts';
import { layerChanges } from '../sentry/fs/overlay/changes.ts';
import { OverlayFs } from '../sentry/fs/overlay/overlayfs.ts';
import { type Change, changesOf } from '../sentry/fs/rootfs/changes.ts';
import { HostRootFs } from '../sentry/fs/rootfs/rootfs.ts';
import { pathString } from '../sentry/vfs/dpath.ts';
import type { FileSystem } from '../sentry/vfs/filesystem.ts';
import { type MountNamespace, namespaceRoot } from '../sentry/vfs/mount_namespace.ts';
import { Path } from '../sentry/vfs/path.ts';
import { STATUS_USAGE, StartError } from './options.ts';

/** One file system over the host, and where it is mounted. */
interface Overlay {
  readonly fs: HostRootFs | OverlayFs;
  readonly at: string;
  /** What starting the sandbox changed already: directories for mounts. */
  readonly before: ReadonlySet<string>;
}

/** Of an overlay that is kept: all that it holds against the host's tree, also from earlier runs. */
function changes(fs: HostRootFs | OverlayFs): readonly Change[] {
  return fs instanceof OverlayFs ? layerChanges(fs) : changesOf(fs);
}

const key = ({ kind, path }: Change) => kind + path;

/** As people read it, and as a terminal can show it: what is no text, control characters and backslashes are octal. */
export function shown(path: string): string {
  const bytes = Buffer.from(path, 'latin1');
  const text = bytes.toString('utf8');
  const octal = (b: number) => `\\${b.toString(8).padStart(3, '0')}`;
  if (!Buffer.from(text, 'utf8').equals(bytes))
    return [...bytes]
      .map((b) => (b < 0x20 || b > 0x7e || b === 0x5c ? octal(b) : String.fromCharCode(b)))
      .join('');
  return text.replace(/[\p{C}\p{Zl}\p{Zp}\\]/gu, (c) => [...Buffer.from(c, 'utf8')].map(octal).join(''));
}

/** The changes of one run, as lines "A path", "C path", "D path". */
export class DiffReport {
  private readonly overlays: Overlay[] = [];
  /** Where it goes; open from the start. */
  private readonly fd: number;

  /** `ns` is as the first program will see it; `target` '-' for standard error, or a file of the host. */
  constructor(ns: MountNamespace, target: string) {
    this.fd = open(target);
    const seen = new Set<FileSystem>();
    const root = namespaceRoot(ns);
    for (const m of ns.mounts) {
      const { fs } = m;
      // A mount of a file shows one entry of a tree of its own.
      if (!(fs instanceof HostRootFs || fs instanceof OverlayFs) || seen.has(fs) || m.root.inode !== fs.root)
        continue;
      seen.add(fs);
      const at = m === root.mount ? '' : pathString(new Path(m, m.root), root);
      this.overlays.push({ fs, at, before: new Set(fs instanceof OverlayFs ? [] : changesOf(fs).map(key)) });
    }
  }

  /** Writes what there is now. */
  write(): void {
    const lines: string[] = [];
    for (const { fs, at, before } of this.overlays)
      for (const change of changes(fs)) {
        if (before.has(key(change))) continue;
        lines.push(`${change.kind} ${shown(at !== '' && change.path === '/' ? at : at + change.path)}\n`);
      }
    writeAll(this.fd, lines.join(''));
  }
}

function open(target: string): number {
  if (target === '-') return STDERR;
  try {
    return openSync(target, 'w');
  } catch (error) {
    throw new StartError(`--diff ${target}: ${(error as Error).message}`, STATUS_USAGE);
  }
}

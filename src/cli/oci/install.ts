// `vedette install ENGINE`: tells an engine of this runtime in its own configuration, and takes it back.

import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { makeFolders } from '../../host/folders.ts';
import { RuntimeError } from '../../runtime/oci/failure.ts';
import type { Context } from './context.ts';
import { readFlags } from './flags.ts';

interface Engine {
  readonly file: () => string;
  /** The file's text with the runtime in it; null: as it is. `text` is null where there is none. */
  readonly add: (text: string | null, program: string, file: string) => string;
  /** And without it; null for no file. */
  readonly remove: (text: string, file: string) => string | null;
  /** What makes the engine read it. */
  readonly next: string;
}

const BEGIN = '# vedette: begin';
const END = '# vedette: end';
/** Both kinds of strings of TOML and JSON agree on what needs to be escaped in a path. */
const quoted = (text: string): string => JSON.stringify(text);

function withoutBlock(text: string): string {
  const from = text.indexOf(BEGIN);
  const to = text.indexOf(END, from);
  if (from < 0 || to < 0) return text;
  return text.slice(0, from).replace(/\n+$/, '\n') + text.slice(to + END.length).replace(/^\n/, '');
}

/** containerd's configuration: version 2, and from containerd 2.0 on version 3, which calls the plugin otherwise. */
function containerdBlock(program: string, version: number): string {
  const plugin = version >= 3 ? 'io.containerd.cri.v1.runtime' : 'io.containerd.grpc.v1.cri';
  const table = `plugins.${quoted(plugin)}.containerd.runtimes.vedette`;
  return `${BEGIN}
[${table}]
  runtime_type = "io.containerd.runc.v2"
  pod_annotations = ["dev.vedette.*"]
  [${table}.options]
    BinaryName = ${quoted(program)}
${END}
`;
}

type Daemon = Record<string, unknown> & { runtimes?: Record<string, unknown> };

function dockerConfig(text: string | null, file: string): Daemon {
  if (text === null || text.trim() === '') return {};
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Daemon;
  } catch {
    // Told below.
  }
  throw new RuntimeError(`${file}: no JSON object; fix: put it right, or --config FILE`);
}

const ENGINES: Readonly<Record<string, Engine>> = {
  containerd: {
    file: () => '/etc/containerd/config.toml',
    add: (text, program, file) => {
      const rest = withoutBlock(text ?? 'version = 2\n');
      if (/runtimes\.["']?vedette\b/.test(rest))
        throw new RuntimeError(`${file}: has a runtime vedette already; fix: remove it there`);
      const version = Number(/^\s*version\s*=\s*(\d+)/m.exec(rest)?.[1] ?? 1);
      if (version < 2) throw new RuntimeError(`${file}: version 1 is not supported; fix: version = 2`);
      return `${rest.replace(/\n*$/, '\n\n')}${containerdBlock(program, version)}`;
    },
    remove: (text) => {
      const rest = withoutBlock(text);
      return rest.trim() === 'version = 2' ? null : rest;
    },
    next: 'systemctl restart containerd',
  },
  docker: {
    file: () => '/etc/docker/daemon.json',
    add: (text, program, file) => {
      const config = dockerConfig(text, file);
      config.runtimes = { ...config.runtimes, vedette: { path: program } };
      return `${JSON.stringify(config, null, 2)}\n`;
    },
    remove: (text, file) => {
      const { runtimes, ...config } = dockerConfig(text, file);
      const { vedette: _, ...others } = runtimes ?? {};
      const rest = Object.keys(others).length > 0 ? { ...config, runtimes: others } : config;
      return Object.keys(rest).length > 0 ? `${JSON.stringify(rest, null, 2)}\n` : null;
    },
    next: 'systemctl reload docker',
  },
  podman: {
    file: () =>
      process.getuid!() === 0
        ? '/etc/containers/containers.conf.d/vedette.conf'
        : join(
            process.env.XDG_CONFIG_HOME ?? join(homedir(), '.config'),
            'containers/containers.conf.d/vedette.conf',
          ),
    add: (text, program) =>
      `${withoutBlock(text ?? '')}${BEGIN}\n[engine.runtimes]\nvedette = [${quoted(program)}]\n${END}\n`,
    remove: (text) => withoutBlock(text) || null,
    next: 'nothing: the next podman --runtime vedette reads it',
  },
};

/** The program that engines shall call: beside the bundle that runs now. */
function ownProgram(): string {
  return join(dirname(resolve(process.argv[1]!)), 'vedette');
}

function write(file: string, text: string | null): void {
  try {
    if (text === null) {
      rmSync(file);
      return;
    }
    makeFolders(dirname(file));
    writeFileSync(`${file}.vedette`, text, { mode: 0o644 });
    renameSync(`${file}.vedette`, file);
  } catch (error) {
    throw new RuntimeError(
      `${file}: ${(error as NodeJS.ErrnoException).code}; fix: run it as root, or --config FILE`,
    );
  }
}

export function install(_ctx: Context, words: readonly string[]): number {
  const flags = readFlags(words, { 'dry-run': 'bool', uninstall: 'bool', config: 'text', runtime: 'text' });
  const [name = '', ...more] = flags.words;
  const engine = Object.hasOwn(ENGINES, name) ? ENGINES[name]! : null;
  if (engine === null || more.length > 0)
    throw new RuntimeError(
      `"install" requires an engine; fix: vedette install ${Object.keys(ENGINES).join('|')} [--dry-run] [--uninstall]`,
    );
  const file = resolve(flags.text('config') ?? engine.file());
  const program = resolve(flags.text('runtime') ?? ownProgram());
  if (!flags.has('uninstall') && !existsSync(program))
    throw new RuntimeError(`${program}: no such program; fix: --runtime FILE`);
  let before: string | null = null;
  try {
    before = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') throw new RuntimeError(`${file}: ${code}`);
  }
  const print = (line: string) => process.stdout.write(`${line}\n`);
  if (flags.has('uninstall') && before === null) {
    print(`${file}: is not there`);
    return 0;
  }
  const after = flags.has('uninstall') ? engine.remove(before!, file) : engine.add(before, program, file);
  if (after === before) {
    print(`${file}: nothing to change`);
    return 0;
  }
  if (flags.has('dry-run')) {
    print(after === null ? `${file}: would be removed` : `${file}: would be:\n${after.trimEnd()}`);
    return 0;
  }
  write(file, after);
  print(`${file}: ${after === null ? 'removed' : 'written'}`);
  print(`next: ${engine.next}`);
  return 0;
}

// The flags of `vedette do` as options of run(): their names, what they take, and the words that they become.

/** Options that `vedette do` has as flags, by the same names. `vedette do --help` says more about each. */
export interface DoOptions {
  /** Variables to set: NAME to value; or, as the flag has it, a list of NAME=VALUE, or NAME to pass one on. Other processes can read them. */
  readonly env?: Readonly<Record<string, string>> | readonly string[];
  /** Start without the variables of this process. */
  readonly clearEnv?: boolean;
  /** Patterns of variables to hand on, such as LC_*; without one, all are. */
  readonly passEnv?: readonly string[];
  /** Files of NAME=VALUE lines. */
  readonly envFile?: readonly string[];
  /** What of this machine is handed on: open or code. */
  readonly access?: 'open' | 'code';
  /** A file of JSON that says the same. */
  readonly profileFile?: string;
  /** Files and directories of this machine that are not there inside. */
  readonly hide?: readonly string[];
  /** Working directory inside. */
  readonly cwd?: string;
  /** Descriptors above 2 to hand on, by their numbers in the child's `stdio`; 'none' for no others. */
  readonly passFd?: readonly string[];
  /** UID[:GID] or NAME[:GROUP] inside. */
  readonly user?: string;
  /** Host name inside. */
  readonly hostname?: string;
  /** Files and directories of this machine to show inside: SRC:DST or SRC:DST:ro. */
  readonly mount?: readonly string[];
  /** The same, and what changes there reaches this machine. */
  readonly bind?: readonly string[];
  /** Directories inside that begin empty and live in memory. */
  readonly tmpfs?: readonly string[];
  /** Directory of this machine that becomes /. */
  readonly rootfs?: string;
  /** Directory of this machine that keeps what is written to /: the next run with it goes on from there. */
  readonly overlay?: string;
  /** auto, systrap or ptrace. */
  readonly platform?: string;
  /** auto, tsc, vdso or call. */
  readonly clock?: string;
  /** Another process opens the files of this machine, and the kernel process has none open but regular ones: slower, and safer. */
  readonly gofer?: boolean;
  /** The kernel process keeps system calls that it does not need: less secure. */
  readonly disableSeccomp?: boolean;
  /** false: system call instructions in the program stay as they are. */
  readonly patchCalls?: boolean;
  readonly fsgsbase?: 'auto' | 'on' | 'off';
  /** none, user (through this machine, to public addresses unless rules say otherwise), sandbox (the namespace's interfaces) or host. */
  readonly network?: 'none' | 'user' | 'sandbox' | 'host';
  /** What is refused, asked before `allow`: NAME, *.NAME, CIDR, public, private, all; with [:PORTS][/PROTOCOL]. */
  readonly deny?: readonly string[];
  /** What may be reached; nothing else is then. */
  readonly allow?: readonly string[];
  /** A file of JSON with rules. */
  readonly policy?: string;
  /** Ports of this machine that lead to ports inside: [ADDR:]HOST:GUEST[/udp]. */
  readonly publish?: readonly string[];
  /** Resolvers to ask: ADDR or ADDR:PORT. */
  readonly dns?: readonly string[];
  /** Secrets: NAME@HOST[:PORT][,HOST...] for the variable NAME of this process, NAME=@FILE@HOST for a file's content. Inside is a placeholder. */
  readonly secret?: readonly string[];
  /** A file to which decisions are appended. */
  readonly networkLog?: string;
  /** Largest packet of the interfaces to the outside. */
  readonly mtu?: number;
  /** A file for the packets of the sandbox. */
  readonly pcap?: string;
  /** Trace of system calls: true for stderr, or a file. */
  readonly strace?: boolean | string;
  /** Report of where the time went: true for stderr, or a file. */
  readonly profile?: boolean | string;
  /** List, at the end, of files that were added, changed or deleted: true for stderr, or a file. */
  readonly diff?: boolean | string;
  /** A file for samples of the kernel's JavaScript. */
  readonly cpuProfile?: string;
  /** A directory for logs of the kernel. */
  readonly debugLog?: string;
  /** Signal that makes the kernel describe its tasks, such as USR2. */
  readonly dumpSignal?: string;
  /** Processors that the program sees. */
  readonly cpus?: number;
  /** Memory that the program may use, such as 512m or 4g. */
  readonly memory?: string;
  /** Threads and processes that may be there at once. */
  readonly pids?: number;
}

/**
 * What launcher.sh gives to Node.js, which makes it faster.
 * @internal
 */
export const NODE_FLAGS: readonly string[] = [
  '--min-semi-space-size=8',
  '--v8-pool-size=1',
  '--expose-gc',
  '--',
];

/** text: it takes a value. list: one flag for each. switch: true. not: false, as --no-NAME. file: true, or a value. */
type Kind = 'text' | 'list' | 'switch' | 'not' | 'file';

/** @internal */
export const KINDS: Readonly<Record<keyof DoOptions, Kind>> = {
  env: 'list',
  clearEnv: 'switch',
  passEnv: 'list',
  envFile: 'list',
  access: 'text',
  profileFile: 'text',
  hide: 'list',
  cwd: 'text',
  passFd: 'list',
  user: 'text',
  hostname: 'text',
  mount: 'list',
  bind: 'list',
  tmpfs: 'list',
  rootfs: 'text',
  overlay: 'text',
  platform: 'text',
  clock: 'text',
  disableSeccomp: 'switch',
  gofer: 'switch',
  patchCalls: 'not',
  fsgsbase: 'text',
  network: 'text',
  deny: 'list',
  allow: 'list',
  policy: 'text',
  publish: 'list',
  dns: 'list',
  secret: 'list',
  networkLog: 'text',
  mtu: 'text',
  pcap: 'text',
  strace: 'file',
  profile: 'file',
  diff: 'file',
  cpuProfile: 'text',
  debugLog: 'text',
  dumpSignal: 'text',
  cpus: 'text',
  memory: 'text',
  pids: 'text',
};

function listOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(String);
  return Object.entries(value as Record<string, string>).map(([name, text]) => `${name}=${text}`);
}

/**
 * The words of a command line that say what `options` says; options of others are passed over.
 * @internal
 */
export function flagWords(options: DoOptions): string[] {
  const words: string[] = [];
  for (const [name, kind] of Object.entries(KINDS)) {
    const value: unknown = options[name as keyof DoOptions];
    if (value === undefined || value === null) continue;
    const flag = name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
    if (kind === 'list') words.push(...listOf(value).map((text) => `--${flag}=${text}`));
    else if (kind === 'not' && value === false) words.push(`--no-${flag}`);
    else if ((kind === 'switch' || kind === 'file') && value === true) words.push(`--${flag}`);
    else if (kind === 'text' || (kind === 'file' && value !== false)) words.push(`--${flag}=${value}`);
  }
  return words;
}

// How a sandbox with secrets, or with rules on requests, begins: this process, which has the secrets in its environment, starts the process for
// HTTP and TLS, tells it, and becomes the same command once more (execve(2)) without them. What runs the sandbox has never had them
// in its memory, and /proc/PID/environ does not either.

import { spawn } from 'node:child_process';
import { closeSync, existsSync, readFileSync, realpathSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errnoName } from '../abi/errno.ts';
import { F_DUPFD, F_SETFD } from '../abi/fs/fcntl.ts';
import { SYS_fcntl } from '../abi/syscall.ts';
import { hostExec } from '../host/exec.ts';
import { socketPair } from '../host/fd_passing.ts';
import { hostCall } from '../host/syscall.ts';
import { parseAddress } from '../net/address.ts';
import { splitPort } from '../proxy/host_pattern.ts';
import { frame } from '../proxy/messages.ts';
import { parseSecrets, SecretFlagError } from '../proxy/secret_flag.ts';
import type { SecretConfig } from '../proxy/secrets.ts';
import { CALLERS_BUNDLES } from '../runtime/network/authority.ts';
import { HANDED_NAME, type Handed } from '../runtime/network/handed.ts';
import type { NetworkOptions } from '../runtime/network/options.ts';
import { type SandboxOptions, STATUS_USAGE, StartError } from '../runtime/options.ts';
import { Policy, type Verdict } from '../runtime/policy/policy.ts';
import { HOST_NAME } from '../runtime/policy/rule.ts';
import { fromText } from '../sentry/base/bytes.ts';

/** Where a host's secret goes when no port is written. */
const HTTPS_PORT = 443;
/** Above what callers use. */
const LEAST_FD = 100;
/** Values that are shorter are looked for as a whole variable alone: they stand in others by chance. */
const LONG_BYTES = 8;

function wrong(message: string): never {
  throw new StartError(message, STATUS_USAGE);
}

function byteStrings(file: string): string[] {
  try {
    return readFileSync(file, 'latin1').split('\0').slice(0, -1);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return wrong(`--secret: ${file}: ${code}; fix: mount /proc`);
  }
}

const bytesOf = (text: string): string => Buffer.from(text).toString('latin1');

function holds(text: string, value: string): boolean {
  return value.length < LONG_BYTES ? text === value : text.includes(value);
}

function readSecrets(flags: readonly string[]): SecretConfig[] {
  try {
    return parseSecrets(flags, { env: process.env }).secrets.map((s) => ({
      ...s,
      hosts: s.hosts.map((host) =>
        splitPort(host).port === null ? `${bracketed(host)}:${HTTPS_PORT}` : host,
      ),
    }));
  } catch (error) {
    if (error instanceof SecretFlagError) wrong(error.message);
    throw error;
  }
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host);

/** A secret for a host that cannot be reached would never be used. */
function checkReached(secrets: readonly SecretConfig[], network: NetworkOptions): void {
  const policy = new Policy(network.rules, network.otherwise);
  for (const { name, hosts } of secrets)
    for (const pattern of hosts) {
      const { host, port } = splitPort(pattern);
      const verdict = reached(policy, host, port!);
      if (verdict.allowed) continue;
      wrong(
        `--secret ${name}@${pattern}: that host is not allowed (${verdict.why}); fix: --allow ${pattern}`,
      );
    }
}

function reached(policy: Policy, host: string, port: number): Verdict {
  if (host === HOST_NAME) {
    const verdict = policy.judgeHost('tcp', port);
    return { ...verdict, why: verdict.why.split(';')[0]! };
  }
  const address = parseAddress(host);
  if (address !== undefined) return policy.judge('tcp', address, port, []);
  if (!host.startsWith('*.')) return policy.judgeName(host);
  const below = host.slice(1);
  const some = policy.rules.find((r) => r.action === 'allow' && r.name !== null && r.name.endsWith(below));
  return some === undefined ? policy.judgeName(`x${below}`) : { allowed: true, why: some.text };
}

/** Values must come in by --secret alone: the words of the command and what other flags set are the program's to read. */
function checkElsewhere(secrets: readonly SecretConfig[], words: readonly string[], o: SandboxOptions): void {
  const callers = new Set(byteStrings('/proc/self/environ'));
  for (const { name, value } of secrets) {
    const bytes = bytesOf(value);
    const word = words.findIndex((w) => holds(w, bytes));
    if (word >= 0)
      wrong(
        `--secret ${name}: its value is in a word of the command line; fix: there, let the program read $${name}, as in sh -c '... $${name}'`,
      );
    for (const entry of o.env) {
      const at = entry.indexOf('=');
      const raw = fromText(entry);
      if (at < 0 || callers.has(raw) || !holds(raw.slice(raw.indexOf('=') + 1), bytes)) continue;
      wrong(
        `--secret ${name}: variable ${entry.slice(0, at)} is set to its value by --env or --env-file; fix: leave it out`,
      );
    }
  }
}

/** The caller's variables without a value of a secret: what stands for it is in its place. */
function cleanEnv(secrets: readonly SecretConfig[]): string[] {
  return byteStrings('/proc/self/environ')
    .filter((entry) => !entry.startsWith(`${HANDED_NAME}=`))
    .map((entry) => {
      const at = entry.indexOf('=') + 1;
      let value = entry.slice(at);
      for (const s of secrets) {
        const bytes = bytesOf(s.value);
        if (holds(value, bytes)) value = value.replaceAll(bytes, s.placeholder);
      }
      return entry.slice(0, at) + value;
    });
}

/** Authorities that the caller trusts beside the system's, as PEM. */
function callersAuthorities(): string[] {
  return CALLERS_BUNDLES.flatMap((name) => {
    const path = process.env[name];
    if (path === undefined || path === '') return [];
    try {
      return [readFileSync(path, 'latin1')];
    } catch {
      return [];
    }
  });
}

/** Files that secrets were read from. */
function secretFiles(flags: readonly string[]): string[] {
  return flags.flatMap((flag) => {
    const m = /^[^=@]+=@(.*)@[^@]*$/s.exec(flag);
    return m !== null && statSync(m[1]!).isFile() ? [realpathSync(m[1]!)] : [];
  });
}

/** Starts the process; our ends of its sockets. */
function startProcess(secrets: readonly SecretConfig[]): { control: number; descriptors: number } {
  const program = join(import.meta.dirname, '../../proxy.cjs');
  if (!existsSync(program)) wrong(`--secret: ${program} is missing; fix: install vedette again`);
  const control = socketPair();
  const descriptors = socketPair();
  if (typeof control === 'number' || typeof descriptors === 'number')
    return wrong('--secret: no more descriptors; fix: raise "ulimit -n"');
  // Its own session: what a terminal sends to the sandbox is not for it. It ends when our end of `control` is closed.
  const child = spawn(process.execPath, [program], {
    stdio: ['ignore', 'ignore', 'ignore', control[1], descriptors[1]],
    env: {},
    cwd: '/',
    detached: true,
  });
  if (child.pid === undefined)
    wrong('--secret: the process for HTTP and TLS cannot be started; fix: more processes');
  closeSync(control[1]);
  closeSync(descriptors[1]);
  const config = frame({
    type: 'configure',
    rules: [],
    otherwise: 'deny',
    secrets,
    caKey: null,
    trust: callersAuthorities(),
  });
  for (let at = 0; at < config.length; ) at += writeSync(control[0], config, at);
  config.fill(0);
  // Without the flag that closes them.
  return {
    control: hostCall(SYS_fcntl, control[0], F_DUPFD, LEAST_FD),
    descriptors: hostCall(SYS_fcntl, descriptors[0], F_DUPFD, LEAST_FD),
  };
}

/** Starts the command anew, beside a process that has the secrets. Throws StartError for what the caller can put right. */
export function startProxied(options: SandboxOptions, flags: readonly string[]): never {
  const secrets = readSecrets(flags);
  checkReached(secrets, options.network);
  const words = byteStrings('/proc/self/cmdline');
  checkElsewhere(secrets, words, options);
  const env = cleanEnv(secrets);
  const handed: Handed = {
    ...startProcess(secrets),
    secrets: secrets.map(({ name, hosts, placeholder }) => ({ name, hosts, placeholder })),
    files: secretFiles(flags),
  };
  const text = Buffer.from(JSON.stringify(handed)).toString('latin1');
  // Node.js has marked whatever it found open to be closed.
  const theirs = options.inherited.openFds ?? [0, 1, 2, ...options.passedFds.map(({ fd }) => fd)];
  for (const fd of theirs) hostCall(SYS_fcntl, fd, F_SETFD, 0);
  const r = hostExec(bytesOf(process.execPath), words, [...env, `${HANDED_NAME}=${text}`]);
  wrong(`--secret: this command cannot be started anew: ${errnoName(-r)}; fix: a host that allows execve(2)`);
}

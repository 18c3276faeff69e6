// The `vedette` command. Knows the commands and their flags; loads what a command needs only when it runs.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { callerWords } from './caller.ts';
import { complaint } from './complaints.ts';
import type { MountFlag } from './do_options.ts';
import type { RuleFlag } from './network_flags.ts';
import { ociWords } from './oci/words.ts';
import {
  ABOUT_CONTAINERS,
  ABOUT_NETWORK,
  COMPLETION_EXAMPLES,
  DO_EXAMPLES,
  DOCTOR_STATUSES,
  EXAMPLES,
  exampleText,
  SHELLS,
  statusText,
  WHAT_IT_READS,
} from './usage.ts';
import { forgottenEquals, prepareWords } from './words.ts';

const STATUS_USAGE = 125;
/** The largest number of threads that Linux lets there be. */
const MOST_TASKS = 4194304;

let mountFlags = 0;
let ruleFlags = 0;

/** The version of this package. */
export function version(): string {
  const file = join(import.meta.dirname, '../../../package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function list(value: string, before: string[]): string[] {
  return [...before, value];
}

/** One of a kind of mounts; those of all kinds are mounted in the order given. */
function mountFlag(option: MountFlag['option']): (value: string, before: MountFlag[]) => MountFlag[] {
  return (text, before) => [...before, { option, text, order: ++mountFlags }];
}

/** One of the rules of the network, in the order given. */
function ruleFlag(action: RuleFlag['action']): (value: string, before: RuleFlag[]) => RuleFlag[] {
  return (text, before) => [...before, { action, text, order: ++ruleFlags }];
}

function count(value: string): number {
  if (!/^[1-9]\d{0,3}$/.test(value)) throw new InvalidArgumentError('a number from 1 to 9999');
  return Number(value);
}

function taskCount(value: string): number {
  const n = /^\d{1,7}$/.test(value) ? Number(value) : 0;
  if (n < 1 || n > MOST_TASKS) throw new InvalidArgumentError(`a number from 1 to ${MOST_TASKS}`);
  return n;
}

/** The commands and their flags; `runDo` runs `vedette do`. */
export function makeProgram(
  runDo: (command: string[], flags: Record<string, unknown>) => Promise<void>,
): Command {
  const program = new Command('vedette')
    .description(
      'Runs unmodified Linux x86-64 programs in a sandbox: every system call is served by a kernel in TypeScript.',
    )
    .option('-V, --version', 'print the version')
    .on('option:version', () => {
      process.stdout.write(`${version()}\n`);
      process.exit(0);
    })
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .enablePositionalOptions()
    // main() says what is wrong in its own words.
    .configureOutput({ outputError: () => {} })
    .addHelpText('after', `\n${exampleText(EXAMPLES)}\n\n${ABOUT_CONTAINERS}`);

  program
    .command('do')
    .description(
      'run a program with the files of this machine; what it writes reaches only those of --bind and --overlay',
    )
    .usage('[flags] -- CMD [ARGS...]')
    .argument('<command...>', 'program and arguments')
    .passThroughOptions()
    .addOption(
      new Option('-e, --env <NAME=VALUE>', 'set a variable, or pass NAME on')
        .argParser(list)
        .default([], 'none'),
    )
    .option('--clear-env', 'start without the variables of this shell')
    .addOption(
      new Option('--pass-env <PATTERN>', 'hand on only variables whose names match, such as LC_*')
        .argParser(list)
        .default([], 'all'),
    )
    .addOption(
      new Option('--env-file <file>', 'set variables from lines NAME=VALUE')
        .argParser(list)
        .default([], 'none'),
    )
    .option(
      '--access <name>',
      'what of this machine is handed on: open (all that you may read, and your variables), which is the default, or code (a fixed environment, an empty home, no files with keys and passwords)',
    )
    .option('--profile-file <file>', 'the same from a file of JSON: extends, passEnv, env, hide, tmpfs')
    .addOption(
      new Option('--hide <path>', 'a file or directory of this machine that is not there inside')
        .argParser(list)
        .default([], 'none'),
    )
    .option('--cwd <dir>', 'working directory inside; default: this one')
    .addOption(
      new Option(
        '--pass-fd <N>',
        'hand descriptor N on; those below 10 and those named on the command line are anyway, unless N is none',
      )
        .argParser(list)
        .default([], 'none'),
    )
    .option(
      '-u, --user <user>',
      'UID[:GID] or NAME[:GROUP] inside; default: yours; HOME, USER, LOGNAME and SHELL follow',
    )
    .option('--hostname <name>', 'host name inside; it resolves, and /etc/hostname has it')
    .addOption(
      new Option(
        '--mount <SRC:DST>',
        'show a file or directory of this machine at DST, or SRC:DST:ro, or src=SRC,dst=DST,ro; changes stay in memory; a : in a path is written \\:',
      )
        .argParser(mountFlag('--mount'))
        .default([], 'none'),
    )
    .addOption(
      new Option('--bind <SRC:DST>', 'as --mount, and changes reach the files of this machine')
        .argParser(mountFlag('--bind'))
        .default([], 'none'),
    )
    .addOption(
      new Option('--tmpfs <DST>', 'mount an empty file system in memory').argParser(list).default([], 'none'),
    )
    .option('--rootfs <dir>', 'directory of this machine that becomes /', '/')
    .option(
      '--overlay <dir>',
      'keep what is written to / in a directory of this machine: the next run with it goes on from there',
    )
    .option(
      '--platform <name>',
      'how guest code is run: auto (systrap where the host allows it), systrap, ptrace',
      'auto',
    )
    .option(
      '--clock <way>',
      "how programs read clocks: auto, tsc (the counter), vdso (the host's code), call (system calls)",
      'auto',
    )
    .option('--gofer', 'have another process open the files of this machine: slower, and safer')
    .option('--disable-seccomp', 'leave the kernel process itself every system call: less secure')
    .option('--no-patch-calls', 'systrap: leave system call instructions in the program as they are')
    .addOption(
      new Option('--fsgsbase <when>', 'systrap: use the instructions that set the bases of fs and gs')
        .choices(['auto', 'on', 'off'])
        .default(undefined, 'auto'),
    )
    .addOption(
      new Option(
        '--network <mode>',
        'none (loopback alone), user (outbound through this machine, to public addresses unless rules say otherwise), sandbox (the interfaces of the network namespace that this is started in), host (that of this machine)',
      )
        .choices(['none', 'user', 'sandbox', 'host'])
        .default('none'),
    )
    .addOption(
      new Option(
        '--allow <what>',
        'NAME[@CIDR], *.NAME, CIDR, or public, private, all; with [:PORTS][/PROTOCOL]; nothing else is reached then',
      )
        .argParser(ruleFlag('allow'))
        .default([], 'public addresses'),
    )
    .addOption(
      new Option('--deny <what>', 'the same, refused; of --allow and --deny the first that matches counts')
        .argParser(ruleFlag('deny'))
        .default([], 'all else'),
    )
    .option('--policy <file>', 'rules from a file of JSON, after those of --allow and --deny')
    .addOption(
      new Option(
        '-p, --publish <[ADDR:]PORT:PORT>',
        'connections to a port of this machine go to a port inside; /udp for datagrams; without ADDR, 127.0.0.1',
      )
        .argParser(list)
        .default([], 'none'),
    )
    .addOption(
      new Option('--dns <addr>', 'resolver to ask in place of those of this machine')
        .argParser(list)
        .default([], "this machine's"),
    )
    .addOption(
      new Option(
        '--secret <NAME@HOST[:PORT]>',
        "inside, variable NAME holds a placeholder; in HTTPS requests to HOST your variable NAME's value takes its place outside; NAME=@FILE@HOST for the content of a file",
      )
        .argParser(list)
        .default([], 'none'),
    )
    .option('--network-log <file>', 'append what was allowed and denied, as lines of JSON')
    .option(
      '--mtu <bytes>',
      'largest packet of the interfaces to the outside, with --network=user or sandbox',
    )
    .option('--pcap <file>', 'write the packets of the sandbox to a file, for tshark and wireshark')
    .option('--strace [file]', 'trace system calls, to stderr or to a file (--strace=FILE)')
    .option('--diff [file]', 'at the end, list files that were added, changed or deleted (--diff=FILE)')
    .option('--profile [file]', 'say where the time went, on stderr or in a file (--profile=FILE)')
    .option('--cpu-profile <file>', "sample the kernel's JavaScript, for a browser's developer tools")
    .option('--debug-log <dir>', 'write logs of the kernel into a directory')
    .option(
      '--dump-signal <name>',
      'signal that makes the kernel describe all its tasks (to the debug log, or stderr)',
    )
    .option('--cpus <n>', 'processors that the program sees; default: all', count)
    .option('-m, --memory <size>', 'memory that the program may use, such as 512m or 4g; default: all')
    .option(
      '--pids <n>',
      'threads and processes that may be there at once; one user gets three quarters, root all but a sixteenth; default: 2048, or what this machine bears',
      taskCount,
    )
    .addHelpText(
      'after',
      `\n${exampleText(DO_EXAMPLES)}\n\n${WHAT_IT_READS}\n\n${ABOUT_NETWORK}\n\n${statusText()}`,
    )
    .action(runDo);

  program
    .command('doctor')
    .description('check what this machine offers, with a fix beside each lack')
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', `\n${statusText(DOCTOR_STATUSES)}`)
    .action(async (flags: { json?: boolean }) => {
      const { runDoctor } = await import('./doctor.ts');
      process.exitCode = await runDoctor(flags.json === true);
    });
  program
    .command('completion <shell>')
    .description(`print what completes command lines in a shell: ${SHELLS.join(', ')}`)
    .addHelpText('after', `\n${exampleText(COMPLETION_EXAMPLES)}`)
    .action(async (shell: string) => {
      const { completion } = await import('./completion.ts');
      if (!SHELLS.includes(shell)) {
        const message = `error: option '--shell' argument '${shell}' is invalid. one of: ${SHELLS.join(', ')}`;
        program.error(message, { code: 'commander.invalidArgument' });
      }
      process.stdout.write(completion(shell, program));
    });
  program
    .command('help [command]')
    .description('print the help of a command')
    .action((name?: string) => {
      const of = name === undefined ? program : program.commands.find((c) => c.name() === name);
      if (of === undefined)
        program.error(`error: unknown command '${name}'`, { code: 'commander.unknownCommand' });
      else of.outputHelp();
    });
  program
    .command('version')
    .description('print the version')
    .action(() => {
      process.stdout.write(`${version()}\n`);
    });
  // What doctor starts for each feature that may hang.
  program.command('self-test <feature>', { hidden: true }).action(async (feature: string) => {
    const { runSelfTest } = await import('../runtime/selftest.ts');
    runSelfTest(feature);
  });
  return program;
}

function throwOnExit(command: Command): void {
  command.exitOverride();
  for (const sub of command.commands) throwOnExit(sub);
}

/** Runs the command line of this process. */
export async function main(): Promise<void> {
  const [major] = process.versions.node.split('.').map(Number);
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    console.error(`vedette: needs Linux on x86-64; this is ${process.platform} on ${process.arch}`);
    process.exit(STATUS_USAGE);
  }
  if (major! < 20) {
    console.error(`vedette: needs Node.js 20 or newer; this is ${process.version}`);
    process.exit(STATUS_USAGE);
  }
  const argv = callerWords();
  const oci = ociWords(argv);
  if (oci !== null) {
    const { runOci } = await import('./oci/main.ts');
    await runOci(oci);
    return;
  }
  let hint: string | null = null;
  const program = makeProgram(async (command, flags) => {
    const { runDo } = await import('./kernel.ts');
    await runDo(command, { ...flags, hint });
  });
  throwOnExit(program);
  if (argv.length === 0) {
    program.outputHelp({ error: true });
    process.exitCode = STATUS_USAGE;
    return;
  }
  try {
    const doCommand = program.commands.find((c) => c.name() === 'do')!;
    const words = argv.slice(1);
    if (argv[0] === 'do') hint = forgottenEquals(doCommand, words);
    const prepared = argv[0] === 'do' ? ['do', ...prepareWords(doCommand, words)] : argv;
    await program.parseAsync(prepared, { from: 'user' });
  } catch (error) {
    // Thrown when the host layer is loaded, which happens only now: the class itself may not be there.
    if ((error as Error).name === 'HostRefusal') {
      process.stderr.write(`vedette: ${(error as Error).message}\n`);
      process.exitCode = STATUS_USAGE;
      return;
    }
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? 0 : STATUS_USAGE;
    // Help that was asked for, or that stands for an answer, has been printed.
    if (error.exitCode !== 0 && error.code !== 'commander.help')
      process.stderr.write(`vedette: ${complaint(error, program, argv)}\n`);
  }
}

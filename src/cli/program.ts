// The `vedette` command. Knows the commands and their flags; loads what a command needs only when it runs.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';

const STATUS_USAGE = 125;
/** The largest number of threads that Linux lets there be. */
const MOST_TASKS = 4194304;

const DO_EXAMPLES = `
Examples:
  vedette do -- uname -a                         run a program of this machine in the sandbox
  vedette do -- bash                             an interactive shell; what it writes stays in memory
  vedette do -e LANG=C --cwd /tmp -- make -j2    set a variable and the working directory
  vedette do --rootfs ./alpine -- /bin/sh        run in another root directory
  vedette do --mount ./src:/src:ro -- ls /src    show a directory of the host inside
  vedette do --strace trace.txt -- true          write every system call to a file

Exit status: the program's own; 128+N when signal N ended it; 127 not found; 126 not executable;
125 wrong usage; 70 a bug in the kernel (with a report).`;

const EXAMPLES = `
Examples:
  vedette do -- uname -a      run a program in the sandbox
  vedette doctor              what this machine offers, and how to get what is missing
  vedette do --help           all flags of \`do\``;

function version(): string {
  const file = join(import.meta.dirname, '../../../package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function list(value: string, before: string[]): string[] {
  return [...before, value];
}

function count(value: string): number {
  if (!/^[1-9]\d{0,3}$/.test(value)) throw new InvalidArgumentError('It must be a number from 1 to 9999.');
  return Number(value);
}

function taskCount(value: string): number {
  const n = /^\d{1,7}$/.test(value) ? Number(value) : 0;
  if (n < 1 || n > MOST_TASKS) throw new InvalidArgumentError(`It must be a number from 1 to ${MOST_TASKS}.`);
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
    .showSuggestionAfterError()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'vedette: ')) })
    .addHelpText('after', EXAMPLES);

  program
    .command('do')
    .description('run a program with the files of this machine; nothing that it writes reaches them')
    .usage('[flags] -- CMD [ARGS...]')
    .argument('<command...>', 'program and arguments')
    .passThroughOptions()
    .addOption(
      new Option('-e, --env <NAME=VALUE>', 'set a variable, or pass NAME on')
        .argParser(list)
        .default([], 'none'),
    )
    .option('--clear-env', 'start without the variables of this shell')
    .option('--cwd <dir>', 'working directory inside')
    .option('-u, --user <user>', 'UID[:GID] or NAME[:GROUP] inside; default: yours')
    .option('--hostname <name>', 'host name inside')
    .addOption(
      new Option(
        '--mount <SRC:DST[:ro]>',
        'show a file or directory of this machine at DST; changes stay in memory',
      )
        .argParser(list)
        .default([], 'none'),
    )
    .addOption(
      new Option('--tmpfs <DST>', 'mount an empty file system in memory').argParser(list).default([], 'none'),
    )
    .option('--rootfs <dir>', 'directory of this machine that becomes /', '/')
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
    .option('--no-patch-calls', 'systrap: leave system call instructions in the program as they are')
    .addOption(
      new Option('--fsgsbase <when>', 'systrap: use the instructions that set the bases of fs and gs')
        .choices(['auto', 'on', 'off'])
        .default(undefined, 'auto'),
    )
    .addOption(new Option('--network <mode>', 'network of the sandbox').choices(['none']).default('none'))
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
    .addHelpText('after', DO_EXAMPLES)
    .action(runDo);

  program
    .command('doctor')
    .description('check what this machine offers, with a fix beside each lack')
    .option('--json', 'print the findings as JSON')
    .action(async (flags: { json?: boolean }) => {
      const { runDoctor } = await import('./doctor.ts');
      process.exitCode = await runDoctor(flags.json === true);
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

/**
 * `--strace` and `--profile` may stand without a file. Without a `--` later on, the word after it would be taken for the file although
 * it is the program; then the file must be given as --strace=FILE.
 */
function fixOptionalValue(argv: string[]): string[] {
  const end = argv.indexOf('--');
  return end >= 0
    ? argv
    : argv.map((word) => (['--strace', '--profile', '--diff'].includes(word) ? `${word}=-` : word));
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
  const program = makeProgram(async (command, flags) => {
    const { runDo } = await import('./kernel.ts');
    await runDo(command, flags);
  });
  throwOnExit(program);
  const argv = process.argv.slice(2);
  if (argv.length === 0) {
    program.outputHelp({ error: true });
    process.exitCode = STATUS_USAGE;
    return;
  }
  try {
    await program.parseAsync(fixOptionalValue(argv), { from: 'user' });
  } catch (error) {
    // Thrown when the host layer is loaded, which happens only now: the class itself may not be there.
    if ((error as Error).name === 'HostRefusal') {
      process.stderr.write(`vedette: ${(error as Error).message}\n`);
      process.exitCode = STATUS_USAGE;
      return;
    }
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? 0 : STATUS_USAGE;
  }
}

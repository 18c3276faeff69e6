// Texts about the command that its help and its man page share: examples, exit statuses, what it does not have.

/** A command line, and what it does. */
export type Example = readonly [command: string, does: string];

export const EXAMPLES: readonly Example[] = [
  ['vedette do -- uname -a', 'run a program in the sandbox'],
  ['vedette doctor', 'what this machine offers, and how to get what is missing'],
  ['vedette help do', 'all flags of `do`'],
];

export const DO_EXAMPLES: readonly Example[] = [
  ['vedette do -- uname -a', 'run a program of this machine in the sandbox'],
  ['vedette do -- bash', 'an interactive shell; what it writes stays in memory'],
  ['vedette do -e LANG=C --cwd /tmp -- make -j2', 'set a variable and the working directory'],
  ['vedette do --rootfs ./alpine -- /bin/sh', 'run in another root directory'],
  ['vedette do --mount ./src:/src:ro -- ls /src', 'show a directory of the host inside'],
  ['vedette do --bind .:/work --cwd /work -- make', 'work in this directory: what is made stays there'],
  [
    'vedette do --overlay ./box -- ./configure',
    'keep what is written, for the next run with --overlay ./box',
  ],
  [
    'vedette do --access=code --diff -- ./install.sh',
    'code that nobody has read: no keys, and what it changed',
  ],
  ['vedette do --network=user -- curl https://example.com', 'with a way out to public addresses'],
  ["vedette do --network=user --allow '*.npmjs.org:443' -- npm install", 'these names and nothing else'],
  [
    'vedette do --network=user --secret TOKEN@api.example.com -- sh -c \'curl -H "Authorization: Bearer $TOKEN" https://api.example.com/\'',
    'TOKEN is used for that host and never inside',
  ],
  ['vedette do --network=user -p 8080:80 -- nginx', 'port 8080 of this machine is port 80 inside'],
  ['ip netns exec NAME vedette do --network=sandbox -- nginx', 'on the interfaces of a network namespace'],
  ['vedette do --strace=trace.txt -- true', 'write every system call to a file'],
];

export const COMPLETION_EXAMPLES: readonly Example[] = [
  ['source <(vedette completion bash)', 'in ~/.bashrc'],
  ['source <(vedette completion zsh)', 'in ~/.zshrc, after compinit'],
  ['vedette completion fish | source', 'in ~/.config/fish/config.fish'],
];

/** Shells that `vedette completion` knows. */
export const SHELLS: readonly string[] = ['bash', 'zsh', 'fish'];

export const WHAT_IT_READS =
  'The program can read every file that you can read, and has your variables, unless --access=code, --hide or\n--rootfs say otherwise. It changes no file of this machine but through --bind and --overlay.';

export const ABOUT_NETWORK =
  'Without --network there is no network inside but loopback. --network=user reaches public addresses and\nneeds no privilege; this machine is host.vedette.internal inside, for who is allowed that name.';

export const ABOUT_CONTAINERS =
  'Containers: create, start, run, exec, state, kill, delete, list, ps, pause, resume, spec and features are those of an OCI runtime,\nas engines call runc (docs/oci.md).';

export const STATUSES: readonly (readonly [status: string, meaning: string])[] = [
  ['N', "the program's own"],
  ['128+N', 'signal N ended the program'],
  ['127', 'the program was not found'],
  ['126', 'the program is not executable'],
  ['125', 'wrong usage, or this machine lacks what is needed; one line says what to do'],
  ['70', 'a bug in the kernel, with a report'],
];

export const DOCTOR_STATUSES: readonly (readonly [status: string, meaning: string])[] = [
  ['0', 'all that matters is there'],
  ['1', 'programs can run, slower or less shut off than they could be'],
  ['2', 'programs cannot run'],
];

/** Examples as a help text shows them. */
export function exampleText(examples: readonly Example[]): string {
  const width = Math.max(...examples.map(([command]) => command.length));
  return `Examples:\n${examples.map(([command, does]) => `  ${command.padEnd(width)}  ${does}`).join('\n')}`;
}

/** Exit statuses as a help text shows them. */
export function statusText(statuses: typeof STATUSES = STATUSES): string {
  const rows = statuses.map(([status, meaning]) => `  ${status.padEnd(5)}  ${meaning}`);
  return `Exit status:\n${rows.join('\n')}`;
}

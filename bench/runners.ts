// The ways to run one command line: natively, inside Vedette, under runsc.

import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Runner {
  readonly name: string;
  /** Runs argv to its end; stdout and stderr as text. */
  run(argv: readonly string[], timeoutMs: number): SpawnSyncReturns<string>;
}

const entry = fileURLToPath(new URL('../vedette.cjs', import.meta.url));

function exec(argv: readonly string[], timeoutMs: number): SpawnSyncReturns<string> {
  return spawnSync(argv[0]!, argv.slice(1), {
    encoding: 'utf8',
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    maxBuffer: 1 << 24,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function vedette(platform: string): Runner {
  return {
    name: `vedette-${platform}`,
    run: (argv, timeoutMs) =>
      exec([process.execPath, entry, 'do', `--platform=${platform}`, '--', ...argv], timeoutMs),
  };
}

/** `runsc do` with the same root; it can fail to start on new kernels, so it is tried three times. */
function runsc(platform: string): Runner {
  return {
    name: `runsc-${platform}`,
    run: (argv, timeoutMs) => {
      let last = exec(['true'], timeoutMs);
      for (let i = 0; i < 3; i++) {
        last = exec(
          ['runsc', '--rootless=false', `--platform=${platform}`, '--network=none', 'do', ...argv],
          timeoutMs,
        );
        if (last.status === 0) return last;
      }
      return last;
    },
  };
}

/** The runners that this machine has, native first. */
export function runners(only: string | undefined): Runner[] {
  const all: Runner[] = [{ name: 'native', run: exec }, vedette('ptrace'), vedette('systrap')];
  if (spawnSync('runsc', ['--version']).status === 0) all.push(runsc('systrap'), runsc('ptrace'));
  return all.filter((r) => r.name === 'native' || only === undefined || r.name.startsWith(only));
}

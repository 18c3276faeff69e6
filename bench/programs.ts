// The C programs of micro/, compiled into the scratch folder.

import { join } from 'node:path';
import { run } from './children.ts';
import { UserError } from './options.ts';

export interface Programs {
  readonly micro: string;
  readonly repeat: string;
  readonly ptraceFloor: string;
  readonly floors: string;
}

const SOURCES = {
  micro: ['main', 'calls', 'files', 'memory', 'waits', 'network', 'processes'],
  repeat: ['repeat'],
  ptraceFloor: ['ptrace_floor'],
  floors: ['floors'],
};

export async function compilePrograms(root: string, scratch: string): Promise<Programs> {
  const compile = async (name: keyof typeof SOURCES) => {
    const output = join(scratch, name);
    const sources = SOURCES[name].map((source) => join(root, 'bench/micro', `${source}.c`));
    const cc = await run(['cc', '-O2', '-pthread', '-o', output, ...sources], 60_000);
    if (cc.status === 0) return output;
    throw new UserError(
      `cannot compile bench/micro: ${cc.stderr || cc.reason}\nA C compiler with its headers must be in PATH as cc, such as gcc.`,
    );
  };
  return {
    micro: await compile('micro'),
    repeat: await compile('repeat'),
    ptraceFloor: await compile('ptraceFloor'),
    floors: await compile('floors'),
  };
}

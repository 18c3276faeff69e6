// Signals as kill(1) takes them: 9, KILL, SIGKILL.

import * as signals from '../../abi/signal/signal.ts';
import { RuntimeError } from '../../runtime/oci/failure.ts';

export function signalOf(text: string): number {
  if (/^\d{1,2}$/.test(text) && Number(text) <= 64) return Number(text);
  const name = text.toUpperCase().replace(/^(SIG)?/, 'SIG');
  const value = /^SIG[A-Z]+[12]?$/.test(name) ? (signals as Record<string, unknown>)[name] : undefined;
  if (typeof value === 'number' && value > 0 && !name.startsWith('SIG_')) return value;
  throw new RuntimeError(`unknown signal ${JSON.stringify(text)}; fix: a name or a number, such as TERM`);
}

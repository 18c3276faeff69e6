// What tshark says of a capture, all of it in one run: it takes half a second to start, and much longer for many packets.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';

/** How its checksums are looked at. */
const CHECKED = ['ip', 'udp', 'tcp'].flatMap((p) => ['-o', `${p}.check_checksum:TRUE`]);

export interface Asked {
  /** Display filters, without commas. */
  readonly filters: readonly string[];
  /** Fields to print of the packets that a filter finds. */
  readonly print?: { readonly filter: string; readonly fields: readonly string[] };
  /** More flags of tshark's. */
  readonly flags?: readonly string[];
}

export interface Said {
  /** How many packets each filter finds. */
  readonly counts: readonly number[];
  /** The fields, a line for each packet. */
  readonly lines: readonly string[];
}

/** Reads a capture, which must be whole. */
export function tshark(file: string, { filters, print, flags = [] }: Asked): Said {
  // No packet at all gives no table.
  const table = `io,stat,0,${['frame', ...filters].join(',')}`;
  const shown =
    print === undefined ? ['-q'] : ['-Y', print.filter, '-T', 'fields', ...fieldWords(print.fields)];
  const r = spawnSync('tshark', ['-n', '-r', file, ...CHECKED, ...flags, ...shown, '-z', table], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  assert.equal(r.status, 0, r.stderr);
  assert.doesNotMatch(r.stderr, /cut short|isn't/, r.stderr);
  const [before, ...rows] = r.stdout.split(/^\|\s+[\d.]+ <> +[\d.]+ +\|/m);
  assert.equal(rows.length, 1, r.stdout);
  // Of each filter two columns: packets and bytes.
  const columns = rows[0]!.split('\n')[0]!.split('|').map(Number);
  const counts = [0, ...filters.keys()].map((_, i) => columns[2 * i]!);
  assert.ok(counts[0]! > 0 && counts.every(Number.isInteger), r.stdout);
  const text = before!.replace(/^=+\n\| IO Statistics[\s\S]*/m, '');
  return { counts: counts.slice(1), lines: text.split('\n').filter((line) => line !== '') };
}

function fieldWords(fields: readonly string[]): string[] {
  return fields.flatMap((field) => ['-e', field]);
}

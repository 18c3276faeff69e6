// Small formatters that proc(5) files share.

/** Right-aligned in `width` columns. */
export function pad(value: number | string, width: number): string {
  return String(value).padStart(width);
}

/** "Name:   12345 kB" lines as /proc/meminfo, status and smaps align them: value in `width` columns. */
export function kb(name: string, kib: number, width: number): string {
  return `${name}${pad(Math.floor(kib), width)} kB\n`;
}

/** A set of two u32 words as 16 hexadecimal digits. */
export function hex64(hi: number, lo: number): string {
  return (hi >>> 0).toString(16).padStart(8, '0') + (lo >>> 0).toString(16).padStart(8, '0');
}

/** Hexadecimal of an address or offset, at least `width` digits. */
export function hex(value: number, width: number): string {
  return value.toString(16).padStart(width, '0');
}

/** seq_escape / mangle: the characters of `which` as \ooo. */
export function escapeOctal(text: string, which: string): string {
  let out = '';
  for (const c of text) {
    out += which.includes(c) ? `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}` : c;
  }
  return out;
}

/** A list of CPUs 0..n-1 as a mask of 32-bit groups ("3", "ffffffff,ffffffff") and as a range. */
export function cpuMask(cpus: readonly boolean[]): string {
  const groups: string[] = [];
  for (let base = 0; base < cpus.length; base += 32) {
    const bits = Math.min(32, cpus.length - base);
    let word = 0;
    for (let i = 0; i < bits; i++) if (cpus[base + i]) word |= 1 << i;
    groups.unshift((word >>> 0).toString(16).padStart(Math.ceil(bits / 4), '0'));
  }
  return groups.join(',');
}

/** "0-3,5" of the CPUs that are true. */
export function cpuList(cpus: readonly boolean[]): string {
  const parts: string[] = [];
  for (let i = 0; i < cpus.length; i++) {
    if (!cpus[i]) continue;
    let end = i;
    while (cpus[end + 1]) end++;
    parts.push(end > i ? `${i}-${end}` : String(i));
    i = end;
  }
  return parts.join(',');
}

/** Clock ticks (USER_HZ = 100) of nanoseconds. */
export function ticks(ns: number): number {
  return Math.floor(ns / 1e7);
}

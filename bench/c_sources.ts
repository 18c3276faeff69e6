// Makes a C program of a few thousand lines over several files, with a Makefile.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILES = 6;
const FUNCTIONS = 40;

function part(file: number): string {
  const lines = [
    '#include "parts.h"',
    '#include <stdio.h>',
    '#include <stdlib.h>',
    '#include <string.h>',
    '',
  ];
  for (let i = 0; i < FUNCTIONS; i++) {
    lines.push(
      `static int f${i}(int n, const char *text) {`,
      `  int sum = n * ${i + 3};`,
      `  char copy[64];`,
      `  snprintf(copy, sizeof copy, "%s/%d", text, n % ${file + 2});`,
      `  for (int k = 0; copy[k] != 0; k++) {`,
      `    if (copy[k] == '/') sum ^= ${i * 7 + file};`,
      `    else sum += copy[k] * k;`,
      `  }`,
      `  return sum % ${i + 11};`,
      `}`,
    );
  }
  lines.push(`int part${file}(int n) {`, `  int sum = 0;`);
  for (let i = 0; i < FUNCTIONS; i++) lines.push(`  sum += f${i}(n, "part ${i}");`);
  return [...lines, '  return sum;', '}', ''].join('\n');
}

/** Writes the program into a new folder. */
export function writeCSources(folder: string): void {
  mkdirSync(folder);
  const numbers = Array.from({ length: FILES }, (_, i) => i);
  for (const i of numbers) writeFileSync(join(folder, `part${i}.c`), part(i));
  const declared = numbers.map((i) => `int part${i}(int n);\n`).join('');
  writeFileSync(join(folder, 'parts.h'), `#pragma once\n${declared}`);
  const calls = numbers.map((i) => `part${i}(count)`).join(' + ');
  writeFileSync(
    join(folder, 'main.c'),
    `#include "parts.h"\nint main(int count, char **args) {\n  (void)args;\n  return (${calls}) < 0;\n}\n`,
  );
  const objects = [...numbers.map((i) => `part${i}.o`), 'main.o'].join(' ');
  writeFileSync(
    join(folder, 'Makefile'),
    `CFLAGS = -O1\nprogram: ${objects}\n\t$(CC) -o $@ ${objects}\n${objects}: parts.h\n`,
  );
}

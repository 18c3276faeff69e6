import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { needs } from '../../test/harness/needs.ts';
import * as constants from './constants.ts';

/** Structure sizes have no name in the header. */
const STRUCTS: Record<string, string> = {
  SIZEOF_EHDR: 'sizeof(Elf64_Ehdr)',
  SIZEOF_PHDR: 'sizeof(Elf64_Phdr)',
  SIZEOF_SHDR: 'sizeof(Elf64_Shdr)',
  SIZEOF_SYM: 'sizeof(Elf64_Sym)',
  SIZEOF_DYN: 'sizeof(Elf64_Dyn)',
  SIZEOF_NHDR: 'sizeof(Elf64_Nhdr)',
  SIZEOF_VERDEF: 'sizeof(Elf64_Verdef)',
  SIZEOF_VERDAUX: 'sizeof(Elf64_Verdaux)',
  ELF_MAGIC: '(ELFMAG0 | ELFMAG1 << 8 | ELFMAG2 << 16 | ELFMAG3 << 24)',
};

test('constants agree with elf.h', needs('gcc'), () => {
  const checks = Object.entries(constants).map(
    ([name, value]) => `_Static_assert((unsigned)(${STRUCTS[name] ?? name}) == ${value}u, "${name}");`,
  );
  const source = `#include <elf.h>\n${checks.join('\n')}\n`;
  const { stderr } = spawnSync('gcc', ['-fsyntax-only', '-x', 'c', '-'], { input: source, encoding: 'utf8' });
  assert.equal(stderr, '');
});

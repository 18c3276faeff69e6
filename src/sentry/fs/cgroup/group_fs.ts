// A file system of one directory with texts that are made when somebody reads. Nothing can be written: limits are given from outside.

import { EPERM } from '../../../abi/errno.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import { StaticDirInode, SyntheticFs, TextFileInode } from '../../vfs/synthetic.ts';
import type { CgroupNumbers } from './numbers.ts';

/** All its inodes, once somebody has looked. */
const GROUP_BYTES = 24576;

/** A file's text: a line without its end, or lines with theirs. */
export type GroupText = (n: CgroupNumbers) => string | number;
export type GroupFiles = readonly (readonly [name: string, text: GroupText])[];

function refuse(): number {
  return -EPERM;
}

function withEnd(value: string | number): string {
  const text = String(value);
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}

export class GroupFs extends SyntheticFs {
  private readonly payer: Account;
  private readonly shown: string;

  /** `shown`: what /proc/mounts tells of it beyond flags. */
  constructor(name: string, magic: number, shown: string, numbers: CgroupNumbers, files: GroupFiles) {
    super(name, magic);
    this.payer = kernelMemory.take(GROUP_BYTES);
    this.shown = shown;
    const root: StaticDirInode = new StaticDirInode(this, 0o555, () => {
      for (const [file, text] of files)
        root.add(file, new TextFileInode(this, 0o444, () => withEnd(text(numbers)), refuse));
    });
    this.setRoot(root);
  }

  override options(): string {
    return this.shown;
  }

  override release(): void {
    kernelMemory.give(this.payer, GROUP_BYTES);
  }
}

/** A limit as version 2 writes it. */
export function maxOr(limit: number): string | number {
  return limit < 0 ? 'max' : limit;
}

/** One number a line. */
export function lines(numbers: readonly number[]): string {
  return numbers.map((n) => `${n}\n`).join('');
}

/** Names and numbers, one pair a line. */
export function pairs(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value}\n`)
    .join('');
}

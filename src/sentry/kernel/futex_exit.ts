import type { Task } from './task.ts';
export function exitFutexes(_t: Task): void {}

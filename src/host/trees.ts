// Who makes the calls of tree_calls.ts for this process: itself, until somebody else is named.

import { LocalTrees } from './local_trees.ts';
import type { TreeCalls } from './tree_calls.ts';

export let trees: TreeCalls = new LocalTrees();

/** Another process makes them from now on, also for what is open already: nothing may be. */
export function useTrees(other: TreeCalls): void {
  trees = other;
}

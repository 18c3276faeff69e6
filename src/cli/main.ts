// Entry of the `vedette` command, for what the launcher does not hand to the kernel at once.

import { main } from './program.ts';

void main();

// The gofer's process: descriptor 3 is the kernel's other end. It ends with that; nothing else ends it well.

import { PR_SET_DUMPABLE } from '../abi/process/prctl.ts';
import { SYS_exit_group, SYS_prctl } from '../abi/syscall.ts';
import { leaveNoCore } from '../host/capabilities.ts';
import { PacketSocket } from '../host/packet_socket.ts';
import { hostCall } from '../host/syscall.ts';
import { BeneathTrees } from './beneath.ts';
import { sealUp } from './lockdown.ts';
import { compareNamespaces } from './namespaces.ts';
import * as P from './protocol.ts';
import { Server } from './server.ts';

hostCall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
leaveNoCore();
const socket = new PacketSocket(P.SOCKET_FD, Math.max(P.REQUEST_MAX, P.ANSWER_MAX));
const { own, shared } = compareNamespaces(process.argv.slice(2));
const namespaces = `namespaces of its own: ${own.join(' ') || 'none'}; shared: ${shared.join(' ') || 'none'}`;
const well = new Server(socket, new BeneathTrees(), (...what) => `${namespaces}\n${sealUp(...what)}`).serve();
hostCall(SYS_exit_group, well ? 0 : 1);

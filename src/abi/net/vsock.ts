/** vsock(7): <sys/socket.h>, <linux/vm_sockets.h>. */

export const SO_VM_SOCKETS_BUFFER_SIZE = 0;
export const SO_VM_SOCKETS_BUFFER_MIN_SIZE = 1;
export const SO_VM_SOCKETS_BUFFER_MAX_SIZE = 2;
export const SO_VM_SOCKETS_PEER_HOST_VM_ID = 3;
export const SO_VM_SOCKETS_TRUSTED = 5;
export const SO_VM_SOCKETS_CONNECT_TIMEOUT_OLD = 6;
export const SO_VM_SOCKETS_NONBLOCK_TXRX = 7;
export const SO_VM_SOCKETS_CONNECT_TIMEOUT_NEW = 8;
export const SO_VM_SOCKETS_CONNECT_TIMEOUT = 6;

export const VMADDR_CID_ANY = 4294967295;
export const VMADDR_PORT_ANY = 4294967295;
export const VMADDR_CID_HYPERVISOR = 0;
export const VMADDR_CID_LOCAL = 1;
export const VMADDR_CID_HOST = 2;
export const VMADDR_FLAG_TO_HOST = 0x1;

// The stub program as it is started, and what its users need to know of it.

import { buildStub, type StubImage } from './stub.ts';

export {
  MAX_ORDERS,
  MESSAGE_ADDR,
  ORDERS_ADDR,
  ORDERS_PAGES,
  PROCESS_FLAGS,
  STUB_BASE,
  STUB_IMAGE_FD,
  STUB_MEMFILE_FD,
  STUB_SOCKET_FD,
  type StubImage,
  THREAD_FLAGS,
  WAKER_EPOLL_FD,
} from './stub.ts';

export const STUB: StubImage = buildStub();

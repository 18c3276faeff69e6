// The stub program as it is started, and what its users need to know of it.

import { buildStub, type StubImage } from './stub.ts';

export {
  MAX_ORDERS,
  ORDER_SIZE,
  ORDERS_ADDR,
  ORDERS_PAGES,
  STUB_BASE,
  STUB_IMAGE_FD,
  STUB_MEMFILE_FD,
  type StubImage,
  WAKER_EPOLL_FD,
} from './stub.ts';

export const STUB: StubImage = buildStub();

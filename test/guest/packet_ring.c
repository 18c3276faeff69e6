// packet(7): PACKET_RX_RING and PACKET_TX_RING of TPACKET_V1, V2 and V3, on the loopback interface.
#include "net.h"
#include <linux/if_ether.h>
#include <linux/if_packet.h>

// Whether checksums are there, and where the time is from, is the machine's own.
#define PLAIN (~(TP_STATUS_CSUMNOTREADY | TP_STATUS_CSUM_VALID | TP_STATUS_TS_SOFTWARE))

static int udp(void) {
  struct sockaddr_in a = in4("127.0.0.1", 0);
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  OK(bind(fd, (void *)&a, sizeof a));
  return fd;
}

static void send_udp(int u, int len) {
  static char text[60000];
  memset(text, 'x', sizeof text);
  struct sockaddr_in to = in4("127.0.0.1", port_of(u));
  OK(sendto(u, text, len, 0, (void *)&to, sizeof to));
}

// Received frames of IP only: each packet is seen once.
static int packets(int type, int version) {
  int fd = OK(socket(AF_PACKET, type, htons(ETH_P_IP)));
  set_int(fd, SOL_PACKET, PACKET_VERSION, version);
  return fd;
}

static char *map(int fd, size_t len) {
  char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(p != MAP_FAILED);
  return p;
}

static void stats(int fd) {
  struct tpacket_stats_v3 s = {0};
  socklen_t len = sizeof s;
  OK(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &s, &len));
  say("%d bytes: %u packets, %u dropped, frozen %u times\n", (int)len, s.tp_packets, s.tp_drops, s.tp_freeze_q_cnt);
}

static void show_ll(const struct sockaddr_ll *a) {
  say("family %d, protocol %04x, interface %d, type %d, kind %d, %d bytes\n", a->sll_family, ntohs(a->sll_protocol), a->sll_ifindex,
      a->sll_hatype, a->sll_pkttype, a->sll_halen);
}

static void show_v1(char *frame) {
  struct tpacket_hdr *h = (void *)frame;
  say("status %lx, %u of %u bytes, mac %u, net %u, first %02x\n", h->tp_status & PLAIN, h->tp_snaplen, h->tp_len, h->tp_mac, h->tp_net,
      (unsigned char)frame[h->tp_net]);
  if (h->tp_status) show_ll((void *)(frame + TPACKET_ALIGN(sizeof *h)));
  if (h->tp_status) CHECK(llabs((long long)h->tp_sec - time(NULL)) < 5 && h->tp_usec < 1000000);
}

static void show_v2(char *frame) {
  struct tpacket2_hdr *h = (void *)frame;
  say("status %x, %u of %u bytes, mac %u, net %u, first %02x\n", h->tp_status & (unsigned)PLAIN, h->tp_snaplen, h->tp_len, h->tp_mac,
      h->tp_net, (unsigned char)frame[h->tp_net]);
  if (h->tp_status) show_ll((void *)(frame + TPACKET_ALIGN(sizeof *h)));
  if (h->tp_status) CHECK(llabs((long long)h->tp_sec - time(NULL)) < 5 && h->tp_nsec < 1000000000);
}

SUBTEST_FORK(frames_v1) {
  int fd = packets(SOCK_RAW, TPACKET_V1), u = udp();
  struct tpacket_req req = {.tp_block_size = 4096, .tp_block_nr = 2, .tp_frame_size = 2048, .tp_frame_nr = 4};
  OK(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof req));
  char *ring = map(fd, 8192);
  CHECK_EQ(events_of(fd, POLLIN, 0), 0);
  send_udp(u, 5);
  CHECK_EQ(events_of(fd, POLLIN, 1000), POLLIN);
  show_v1(ring);
  show_v1(ring + 2048);
  char buf[10];
  CHECK_ERR(recv(fd, buf, sizeof buf, MSG_DONTWAIT), EAGAIN);
  stats(fd);
}

SUBTEST_FORK(frames_v2) {
  int fd = packets(SOCK_RAW, TPACKET_V2), u = udp();
  struct tpacket_req req = {.tp_block_size = 4096, .tp_block_nr = 2, .tp_frame_size = 1024, .tp_frame_nr = 8};
  OK(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof req));
  char *ring = map(fd, 8192);
  send_udp(u, 5);
  send_udp(u, 3000);  // cut to what a frame holds
  CHECK_EQ(events_of(fd, POLLIN, 1000), POLLIN);
  show_v2(ring);
  show_v2(ring + 1024);
  show_v2(ring + 2048);
  // Full, then one frame is given back.
  for (int i = 0; i < 9; i++) send_udp(u, 10);
  stats(fd);
  *(volatile unsigned *)ring = TP_STATUS_KERNEL;
  for (int i = 0; i < 2; i++) send_udp(u, 11);
  show_v2(ring);
  stats(fd);
  // From now on frames that were given back come without a word of loss.
  *(volatile unsigned *)(ring + 1024) = TP_STATUS_KERNEL;
  send_udp(u, 12);
  show_v2(ring + 1024);
  for (int i = 0; i < 8; i++) *(volatile unsigned *)(ring + 1024 * i) = TP_STATUS_KERNEL;
  CHECK_EQ(events_of(fd, POLLIN, 0), 0);
}

SUBTEST_FORK(cooked_and_reserved) {
  int fd = packets(SOCK_DGRAM, TPACKET_V2), u = udp();
  set_int(fd, SOL_PACKET, PACKET_RESERVE, 32);
  say("%d reserved\n", int_option(fd, SOL_PACKET, PACKET_RESERVE));
  struct tpacket_req req = {.tp_block_size = 4096, .tp_block_nr = 1, .tp_frame_size = 2048, .tp_frame_nr = 2};
  OK(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof req));
  char *ring = map(fd, 4096);
  send_udp(u, 5);
  show_v2(ring);
}

static void show_block(char *block) {
  struct tpacket_block_desc *b = (void *)block;
  struct tpacket_hdr_v1 *h = &b->hdr.bh1;
  say("version %u, private at %u, status %x, %u packets, first at %u, %u bytes, number %llu\n", b->version, b->offset_to_priv,
      h->block_status & (unsigned)PLAIN, h->num_pkts, h->offset_to_first_pkt, h->blk_len, (unsigned long long)h->seq_num);
  if (!(h->block_status & TP_STATUS_USER)) return;
  char *p = block + h->offset_to_first_pkt;
  for (unsigned i = 0; i < h->num_pkts; i++) {
    struct tpacket3_hdr *t = (void *)p;
    if (i < 2 || i + 1 == h->num_pkts)
      say("next %u, status %x, %u of %u bytes, mac %u, net %u, first %02x, tag %u\n", t->tp_next_offset,
          t->tp_status & (unsigned)PLAIN, t->tp_snaplen, t->tp_len, t->tp_mac, t->tp_net, (unsigned char)p[t->tp_net],
          t->hv1.tp_vlan_tci);
    if (i == 0) show_ll((void *)(p + TPACKET_ALIGN(sizeof *t)));
    p += t->tp_next_offset;
  }
}

static volatile unsigned *status_of(char *block) {
  return &((struct tpacket_block_desc *)block)->hdr.bh1.block_status;
}

SUBTEST_FORK(blocks_v3) {
  int fd = packets(SOCK_RAW, TPACKET_V3), u = udp();
  struct tpacket_req3 req = {.tp_block_size = 8192, .tp_block_nr = 3, .tp_frame_size = 2048, .tp_frame_nr = 12,
                             .tp_retire_blk_tov = 300, .tp_sizeof_priv = 20};
  OK(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof req));
  char *ring = map(fd, 3 * 8192);
  CHECK_EQ(events_of(fd, POLLIN, 0), 0);
  show_block(ring);
  // One packet: handed over when the time is up.
  send_udp(u, 5);
  CHECK_EQ(events_of(fd, POLLIN, 5000), POLLIN);
  show_block(ring);
  *status_of(ring) = TP_STATUS_KERNEL;
  CHECK_EQ(events_of(fd, POLLIN, 0), 0);
  // More than a block takes.
  for (int i = 0; i < 10; i++) send_udp(u, 1000 + i);
  CHECK_EQ(events_of(fd, POLLIN, 0), POLLIN);
  show_block(ring + 8192);
  // The ring is full, and freezes.
  for (int i = 0; i < 40; i++) send_udp(u, 1000);
  stats(fd);
  for (int i = 0; i < 3; i++) *status_of(ring + 8192 * i) = TP_STATUS_KERNEL;
  for (int i = 0; i < 8; i++) send_udp(u, 1200);
  CHECK_EQ(events_of(fd, POLLIN, 5000), POLLIN);
  stats(fd);
}

SUBTEST_FORK(a_large_packet_in_a_small_block) {
  int fd = packets(SOCK_DGRAM, TPACKET_V3), u = udp();
  struct tpacket_req3 req = {.tp_block_size = 4096, .tp_block_nr = 2, .tp_frame_size = 2048, .tp_frame_nr = 4,
                             .tp_retire_blk_tov = 20};
  OK(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof req));
  char *ring = map(fd, 2 * 4096);
  send_udp(u, 20000);
  // The first block had no room for it, and is handed over empty.
  for (int i = 0; i < 500 && !(*status_of(ring + 4096) & TP_STATUS_USER); i++) sleep_ms(20);
  for (int i = 0; i < 2; i++)
    if (*status_of(ring + 4096 * i) & TP_STATUS_USER && ((struct tpacket_block_desc *)(ring + 4096 * i))->hdr.bh1.num_pkts)
      show_block(ring + 4096 * i);
}

SUBTEST_FORK(sends) {
  for (int version = TPACKET_V1; version <= TPACKET_V3; version++) {
    int fd = OK(socket(AF_PACKET, SOCK_RAW, 0));
    int hears = OK(socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP)));
    struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = 0, .sll_ifindex = 1};
    OK(bind(fd, (void *)&a, sizeof a));
    set_int(fd, SOL_PACKET, PACKET_VERSION, version);
    struct tpacket_req3 req = {.tp_block_size = 4096, .tp_block_nr = 2, .tp_frame_size = 2048, .tp_frame_nr = 4};
    OK(setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &req, version == TPACKET_V3 ? sizeof req : 16));
    char *ring = map(fd, 8192);
    size_t head = version == TPACKET_V3 ? sizeof(struct tpacket3_hdr) : 32;
    CHECK_EQ(send(fd, NULL, 0, MSG_DONTWAIT), 0);
    for (int i = 0; i < 3; i++) {
      char *f = ring + 2048 * i, *data = f + head;
      memset(data, 0, 14);
      data[12] = 8;
      memset(data + 14, 'a' + i, 40);
      data[14] = 0x45;
      int len = i == 2 ? 3000 : 54;  // the last one is too long
      if (version == TPACKET_V1) ((struct tpacket_hdr *)f)->tp_len = len, ((struct tpacket_hdr *)f)->tp_status = TP_STATUS_SEND_REQUEST;
      if (version == TPACKET_V2) ((struct tpacket2_hdr *)f)->tp_len = len, ((struct tpacket2_hdr *)f)->tp_status = TP_STATUS_SEND_REQUEST;
      if (version == TPACKET_V3) ((struct tpacket3_hdr *)f)->tp_len = len, ((struct tpacket3_hdr *)f)->tp_status = TP_STATUS_SEND_REQUEST;
    }
    CHECK_ERR(send(fd, NULL, 0, 0), EMSGSIZE);
    for (int i = 0; i < 3; i++) {
      char *f = ring + 2048 * i;
      unsigned status = version == TPACKET_V1   ? ((struct tpacket_hdr *)f)->tp_status
                        : version == TPACKET_V2 ? ((struct tpacket2_hdr *)f)->tp_status
                                                : ((struct tpacket3_hdr *)f)->tp_status;
      say("version %d, frame %d: %x\n", version, i, status & (unsigned)PLAIN);
    }
    for (int i = 0; i < 2; i++) {
      char buf[100];
      CHECK_EQ(events_of(hears, POLLIN, 1000), POLLIN);
      int n = OK(recv(hears, buf, sizeof buf, 0));
      say("heard %d bytes, %c\n", n, buf[20]);
    }
    OK(munmap(ring, 8192));
    OK(close(fd));
    OK(close(hears));
  }
}

SUBTEST_FORK(refusals) {
  int fd = packets(SOCK_RAW, TPACKET_V2);
  int n = 1;
  for (int version = 0; version < 3; version++) {
    int value = version;
    socklen_t len = sizeof value;
    OK(getsockopt(fd, SOL_PACKET, PACKET_HDRLEN, &value, &len));
    say("version %d: header of %d bytes\n", version, value);
  }
  n = 7;
  socklen_t len = sizeof n;
  CHECK_ERR(getsockopt(fd, SOL_PACKET, PACKET_HDRLEN, &n, &len), EINVAL);
  CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &n, sizeof n), EINVAL);
  CHECK_ERR(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0, EINVAL);
  struct tpacket_req bad[] = {
      {4095, 1, 2048, 1}, {4096, 1, 2040, 2}, {4096, 1, 16, 256}, {4096, 2, 2048, 3}, {4096, 0, 2048, 1}, {4096, 1, 8192, 0},
      {1u << 31, 1, 2048, 1},
  };
  for (unsigned i = 0; i < COUNT(bad); i++) {
    int r = setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &bad[i], sizeof bad[i]);
    say("%u: %s\n", i, r == 0 ? "taken" : strerrorname_np(errno));
  }
  struct tpacket_req req = {4096, 2, 2048, 4}, none = {0};
  CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, 15), EINVAL);
  OK(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof req));
  CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof req), EBUSY);
  n = TPACKET_V1;
  CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &n, sizeof n), EBUSY);
  CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_RESERVE, &n, sizeof n), EBUSY);
  CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_LOSS, &n, sizeof n), EBUSY);
  CHECK_ERR(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0, EINVAL);
  CHECK_ERR(mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 4096) == MAP_FAILED ? -1 : 0, EINVAL);
  char *ring = map(fd, 8192);
  CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &none, sizeof none), EBUSY);
  OK(munmap(ring + 4096, 4096));
  CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &none, sizeof none), EBUSY);
  OK(munmap(ring, 4096));
  OK(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &none, sizeof none));
  n = TPACKET_V3;
  OK(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &n, sizeof n));
  CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof req), EINVAL);
  struct tpacket_req3 priv = {4096, 1, 2048, 2, .tp_sizeof_priv = 4000}, tov = {4096, 1, 2048, 2, .tp_retire_blk_tov = 1};
  CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &priv, sizeof priv), EINVAL);
  CHECK_ERR(setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &tov, sizeof tov), EINVAL);
}

// The mapping outlives the descriptor, and shows what comes.
SUBTEST_FORK(outlives_the_descriptor) {
  int fd = packets(SOCK_RAW, TPACKET_V2), u = udp();
  struct tpacket_req req = {4096, 1, 2048, 2};
  OK(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof req));
  char *ring = map(fd, 4096);
  OK(close(fd));
  send_udp(u, 7);
  show_v2(ring);
  OK(munmap(ring, 4096));
}

// packet(7) on the loopback interface of a network namespace of its own: what is seen, addresses, sends, errors.
#include "net.h"
#include <linux/if_ether.h>
#include <linux/if_packet.h>

static int udp(void) {
  struct sockaddr_in a = in4("127.0.0.1", 0);
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  OK(bind(fd, (void *)&a, sizeof a));
  return fd;
}

static void show(int fd) {
  unsigned char buf[256];
  struct sockaddr_ll from;
  socklen_t len = sizeof from;
  int n = recvfrom(fd, buf, sizeof buf, MSG_DONTWAIT | MSG_TRUNC, (void *)&from, &len);
  if (n < 0) {
    say("nothing: %s\n", strerrorname_np(errno));
    return;
  }
  say("%d bytes, address of %d, protocol %04x, interface %d, type %d, kind %d, %d bytes of hardware\n", n, (int)len,
      ntohs(from.sll_protocol), from.sll_ifindex, from.sll_hatype, from.sll_pkttype, from.sll_halen);
  say("first byte %02x, last byte %02x\n", buf[0], buf[n - 1]);
}

SUBTEST_FORK(frames) {
  int fd = OK(socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP)));
  int u = udp();
  struct sockaddr_in to = in4("127.0.0.1", port_of(u));
  OK(sendto(u, "hello", 5, 0, (void *)&to, sizeof to));
  show(fd);
  show(fd);
  struct tpacket_stats stats;
  socklen_t len = sizeof stats;
  OK(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len));
  say("%u seen, %u dropped\n", stats.tp_packets, stats.tp_drops);
  OK(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len));
  say("%u seen, %u dropped\n", stats.tp_packets, stats.tp_drops);
}

SUBTEST_FORK(everything) {
  int fd = OK(socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL)));
  int u = udp();
  struct sockaddr_in to = in4("127.0.0.1", port_of(u));
  OK(sendto(u, "hello", 5, 0, (void *)&to, sizeof to));
  show(fd);
  show(fd);
  show(fd);
}

SUBTEST_FORK(names) {
  int fd = OK(socket(AF_PACKET, SOCK_RAW, 0));
  struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = 1};
  OK(bind(fd, (void *)&a, sizeof a));
  socklen_t len = sizeof a;
  OK(getsockname(fd, (void *)&a, &len));
  say("%d bytes, protocol %04x, interface %d, type %d\n", (int)len, ntohs(a.sll_protocol), a.sll_ifindex, a.sll_hatype);
  a.sll_ifindex = 99;
  CHECK_ERR(bind(fd, (void *)&a, sizeof a), ENODEV);
  CHECK_ERR(connect(fd, (void *)&a, sizeof a), EOPNOTSUPP);
  CHECK_ERR(listen(fd, 1), EOPNOTSUPP);
  CHECK_ERR(socket(AF_PACKET, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
}

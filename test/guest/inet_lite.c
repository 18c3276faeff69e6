// UDP-Lite (RFC 3828, udplite(7)): coverage of the checksum, what receivers demand, its ports, /proc/net.
#include "net.h"
#include <netinet/udp.h>
#include <poll.h>

#ifndef UDPLITE_SEND_CSCOV
#define UDPLITE_SEND_CSCOV 10
#define UDPLITE_RECV_CSCOV 11
#endif

static int lite(int family) {
  int s = socket(family, SOCK_DGRAM, IPPROTO_UDPLITE);
  if (s < 0 && errno == EPROTONOSUPPORT && access("/proc/net/udplite", F_OK) != 0) SKIP("no UDP-Lite");
  return OK(s);
}
static void set(int s, int name, int value) { OK(setsockopt(s, IPPROTO_UDPLITE, name, &value, sizeof value)); }
static int get(int s, int level, int name) {
  int value = -1;
  socklen_t len = sizeof value;
  OK(getsockopt(s, level, name, &value, &len));
  return value;
}
static bool comes(int s) {
  struct pollfd p = {s, POLLIN, 0};
  return OK(poll(&p, 1, 100)) == 1;
}

static struct sockaddr_in6 at6;
static struct sockaddr_in at4;
static int receiver(int family) {
  int s = lite(family);
  struct sockaddr *at = family == AF_INET ? (void *)&at4 : (void *)&at6;
  socklen_t len = family == AF_INET ? sizeof at4 : sizeof at6;
  at4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  at6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  OK(bind(s, at, len));
  OK(getsockname(s, at, &len));
  return s;
}
static int sender(int family) {
  int s = lite(family);
  OK(connect(s, family == AF_INET ? (void *)&at4 : (void *)&at6, family == AF_INET ? sizeof at4 : sizeof at6));
  return s;
}

static void exchange(int family) {
  int to = receiver(family), from = sender(family);
  static char out[30001], in[30001];
  for (size_t i = 0; i < sizeof out; i++) out[i] = i * 7;
  static const int coverages[] = {-1, 0, 8, 9, 20, 1001, 65535};
  static const int lengths[] = {0, 1, 2, 13, 1000, 5001, 30001};
  for (size_t c = 0; c < COUNT(coverages); c++) {
    if (coverages[c] >= 0) set(from, UDPLITE_SEND_CSCOV, coverages[c]);
    for (size_t l = 0; l < COUNT(lengths); l++) {
      CHECK_EQ(OK(send(from, out, lengths[l], 0)), lengths[l]);
      CHECK_EQ(OK(recv(to, in, sizeof in, 0)), lengths[l]);
      CHECK(memcmp(in, out, lengths[l]) == 0);
    }
  }
}
SUBTEST_FORK(datagrams) { exchange(AF_INET); }
SUBTEST_FORK(datagrams_of_ipv6) { exchange(AF_INET6); }

SUBTEST_FORK(receivers_demand_coverage) {
  int to = receiver(AF_INET), from = sender(AF_INET);
  char b[100] = "x";
  set(from, UDPLITE_SEND_CSCOV, 20);
  // Twelve bytes of it, and the header.
  set(to, UDPLITE_RECV_CSCOV, 20);
  OK(send(from, b, 50, 0));
  CHECK_EQ(OK(recv(to, b, 100, 0)), 50);
  set(to, UDPLITE_RECV_CSCOV, 21);
  OK(send(from, b, 50, 0));
  CHECK(!comes(to));
  // Covered as a whole, it need not be long.
  OK(send(from, b, 5, 0));
  CHECK_EQ(OK(recv(to, b, 100, 0)), 5);
  set(to, UDPLITE_RECV_CSCOV, 0);
  OK(send(from, b, 50, 0));
  CHECK(!comes(to));
  set(from, UDPLITE_SEND_CSCOV, 0);
  OK(send(from, b, 50, 0));
  CHECK_EQ(OK(recv(to, b, 100, 0)), 50);
}

SUBTEST_FORK(options) {
  int s = lite(AF_INET), udp = OK(socket(AF_INET, SOCK_DGRAM, 0)), one = 1;
  CHECK_EQ(get(s, SOL_SOCKET, SO_PROTOCOL), IPPROTO_UDPLITE);
  CHECK_EQ(get(s, IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV), 0);
  static const int values[][2] = {{1, 8}, {7, 8}, {8, 8}, {500, 500}, {70000, 65535}, {-1, 8}, {0, 0}};
  for (size_t i = 0; i < COUNT(values); i++)
    for (int name = UDPLITE_SEND_CSCOV; name <= UDPLITE_RECV_CSCOV; name++) {
      set(s, name, values[i][0]);
      CHECK_EQ(get(s, IPPROTO_UDPLITE, name), values[i][1]);
      CHECK_EQ(get(s, IPPROTO_UDP, name), values[i][1]);
    }
  CHECK_ERR(setsockopt(s, IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV, &one, 2), EINVAL);
  CHECK_ERR(setsockopt(s, IPPROTO_UDPLITE, 99, &one, 4), ENOPROTOOPT);
  // Either protocol has either level, and the coverage is UDP-Lite's alone.
  CHECK_ERR(setsockopt(udp, IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV, &one, 4), ENOPROTOOPT);
  CHECK_EQ(get(udp, IPPROTO_UDPLITE, UDPLITE_SEND_CSCOV), 0);
  OK(setsockopt(udp, IPPROTO_UDPLITE, UDP_CORK, &one, 4));
  CHECK_EQ(get(udp, IPPROTO_UDP, UDP_CORK), 1);
}

SUBTEST_FORK(ports_are_its_own) {
  int to = receiver(AF_INET), udp = OK(socket(AF_INET, SOCK_DGRAM, 0)), from = sender(AF_INET);
  OK(bind(udp, (void *)&at4, sizeof at4));
  OK(send(from, "lite", 4, 0));
  char b[10];
  CHECK_EQ(OK(recv(to, b, 10, 0)), 4);
  CHECK(!comes(udp));
  int other = lite(AF_INET);
  CHECK_ERR(bind(other, (void *)&at4, sizeof at4), EADDRINUSE);
  // A port at which nobody listens.
  OK(close(to));
  OK(send(from, "lite", 4, 0));
  CHECK_ERR(recv(from, b, 10, 0), ECONNREFUSED);
}

SUBTEST_FORK(put_together) {
  int to = receiver(AF_INET6), from = sender(AF_INET6);
  char b[100];
  set(from, UDPLITE_SEND_CSCOV, 9);
  OK(send(from, "one, ", 5, MSG_MORE));
  OK(send(from, "two", 3, 0));
  CHECK_EQ(OK(recv(to, b, 100, 0)), 8);
  CHECK(memcmp(b, "one, two", 8) == 0);
}

SUBTEST_FORK(on_the_wire) {
  int raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDPLITE);
  if (raw < 0 && errno == EPERM) SKIP("no raw sockets");
  OK(raw);
  int to = receiver(AF_INET), from = sender(AF_INET);
  set(from, UDPLITE_SEND_CSCOV, 12);
  OK(send(from, "datagram", 8, 0));
  unsigned char p[100];
  CHECK_EQ(OK(recv(raw, p, 100, 0)), 36);
  CHECK_EQ(p[9], IPPROTO_UDPLITE);
  CHECK_EQ(p[24] << 8 | p[25], 12);
  // The pseudo-header has the whole length, the sum ends with the coverage.
  unsigned sum = IPPROTO_UDPLITE + 16;
  for (int i = 12; i < 20 + 12; i += 2) sum += p[i] << 8 | p[i + 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  CHECK_EQ(sum, 0xffff);
  char b[10];
  CHECK_EQ(OK(recv(to, b, 10, 0)), 8);
  // By hand: what is not covered may be spoilt, what is covered may not, and none at all is none.
  struct sockaddr_in dst = at4;
  dst.sin_port = 0;
  p[35] ^= 1;
  CHECK_EQ(OK(sendto(raw, p + 20, 16, 0, (void *)&dst, sizeof dst)), 16);
  CHECK_EQ(OK(recv(to, b, 10, 0)), 8);
  CHECK(memcmp(b, "datagral", 8) == 0);
  p[30] ^= 1;
  OK(sendto(raw, p + 20, 16, 0, (void *)&dst, sizeof dst));
  CHECK(!comes(to));
  p[30] ^= 1;
  p[26] = p[27] = 0;
  OK(sendto(raw, p + 20, 16, 0, (void *)&dst, sizeof dst));
  CHECK(!comes(to));
  // Fewer bytes than the header, and more than came.
  for (int coverage = 7; coverage <= 17; coverage += 10) {
    p[25] = coverage;
    OK(sendto(raw, p + 20, 16, 0, (void *)&dst, sizeof dst));
    CHECK(!comes(to));
  }
}

SUBTEST_FORK(tables) {
  int s = receiver(AF_INET);
  char want[40], line[400];
  snprintf(want, sizeof want, "0100007F:%04X ", ntohs(at4.sin_port));
  FILE *f = fopen("/proc/net/udplite", "r");
  CHECK(f != NULL);
  int found = 0;
  while (fgets(line, sizeof line, f)) found += strstr(line, want) != NULL;
  CHECK_EQ(found, 1);
  fclose(f);
  OK(close(s));
}

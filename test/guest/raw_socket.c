// raw(7): ICMP_FILTER, ICMP6_FILTER and IPV6_CHECKSUM, on the loopback interface of a network namespace of its own.
#include "net.h"
#include <linux/icmp.h>
#include <netinet/icmp6.h>

static void set(int fd, int level, int name, const void *value, socklen_t len) {
  int r = setsockopt(fd, level, name, value, len);
  say("set %d %d, %d bytes: %s\n", level, name, (int)len, r < 0 ? strerrorname_np(errno) : "good");
}

static void get(int fd, int level, int name, socklen_t len) {
  unsigned char value[64];
  memset(value, 0xee, sizeof value);
  int r = getsockopt(fd, level, name, value, &len);
  if (r < 0) {
    say("get %d %d: %s\n", level, name, strerrorname_np(errno));
    return;
  }
  char text[130] = "";
  for (socklen_t i = 0; i < len && i < sizeof value; i++) sprintf(text + 2 * i, "%02x", value[i]);
  say("get %d %d: %d bytes: %s, then %02x\n", level, name, (int)len, text, value[len]);
}

// The types of the ICMP messages that wait.
static void types(int fd, int at) {
  unsigned char buf[256];
  int n;
  while ((n = recv(fd, buf, sizeof buf, MSG_DONTWAIT)) > at) say("type %d, %d bytes\n", buf[at], n);
  if (n >= 0) FAIL("%d bytes", n);
  CHECK_EQ(errno, EAGAIN);
}

SUBTEST(options_of_ipv6) {
  int raw = OK(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)), other = OK(socket(AF_INET6, SOCK_RAW, 200));
  int mobile = OK(socket(AF_INET6, SOCK_RAW, IPPROTO_MH)), udp = OK(socket(AF_INET6, SOCK_DGRAM, 0));
  int all[] = {raw, other, mobile, udp}, values[] = {0, 1, 4, -7, 6};
  unsigned char filter[40];
  for (unsigned i = 0; i < sizeof filter; i++) filter[i] = 16 + i;
  for (unsigned f = 0; f < COUNT(all); f++) {
    say("socket %u\n", f);
    get(all[f], SOL_RAW, IPV6_CHECKSUM, 4);
    get(all[f], IPPROTO_IPV6, IPV6_CHECKSUM, 4);
    for (unsigned v = 0; v < COUNT(values); v++) {
      set(all[f], IPPROTO_IPV6, IPV6_CHECKSUM, &values[v], 4);
      set(all[f], SOL_RAW, IPV6_CHECKSUM, &values[v], 4);
      get(all[f], SOL_RAW, IPV6_CHECKSUM, 4);
      get(all[f], IPPROTO_IPV6, IPV6_CHECKSUM, 2);
    }
    set(all[f], SOL_RAW, IPV6_CHECKSUM, values, 2);
    get(all[f], SOL_RAW, IPV6_HDRINCL, 4);
    set(all[f], SOL_RAW, IPV6_HDRINCL, &values[2], 4);
    get(all[f], IPPROTO_IPV6, IPV6_HDRINCL, 4);
    set(all[f], SOL_RAW, ICMP_FILTER, values, 4);
    set(all[f], SOL_RAW, 77, values, 4);
    get(all[f], SOL_RAW, 77, 4);
    set(all[f], IPPROTO_ICMPV6, 77, values, 4);
    get(all[f], IPPROTO_ICMPV6, 77, 4);
    get(all[f], IPPROTO_ICMPV6, ICMP6_FILTER, 64);
    set(all[f], IPPROTO_ICMPV6, ICMP6_FILTER, filter, 32);
    get(all[f], IPPROTO_ICMPV6, ICMP6_FILTER, 32);
    set(all[f], IPPROTO_ICMPV6, ICMP6_FILTER, filter + 8, 5);
    get(all[f], IPPROTO_ICMPV6, ICMP6_FILTER, 7);
    set(all[f], IPPROTO_ICMPV6, ICMP6_FILTER, filter, 40);
    get(all[f], IPPROTO_ICMPV6, ICMP6_FILTER, 40);
    set(all[f], IPPROTO_ICMPV6, ICMP6_FILTER, filter, 0);
    if (f < 3) CHECK_ERR(setsockopt(all[f], SOL_RAW, IPV6_CHECKSUM, (void *)8, 4), EFAULT);
  }
}

SUBTEST(options_of_ipv4) {
  int raw = OK(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)), other = OK(socket(AF_INET, SOCK_RAW, 200));
  int all[] = {raw, other};
  unsigned char filter[] = {1, 2, 3, 4, 5, 6, 7, 8};
  for (unsigned f = 0; f < COUNT(all); f++) {
    get(all[f], SOL_RAW, ICMP_FILTER, 8);
    set(all[f], SOL_RAW, ICMP_FILTER, filter, 8);
    get(all[f], SOL_RAW, ICMP_FILTER, 4);
    set(all[f], SOL_RAW, ICMP_FILTER, filter + 4, 2);
    get(all[f], SOL_RAW, ICMP_FILTER, 3);
    set(all[f], SOL_RAW, 9, filter, 4);
    get(all[f], SOL_RAW, 9, 4);
    set(all[f], IPPROTO_ICMP, ICMP_FILTER, filter, 4);
  }
}

SUBTEST(levels_that_are_not_there) {
  int sockets[] = {OK(socket(AF_INET, SOCK_STREAM, 0)),    OK(socket(AF_INET, SOCK_DGRAM, 0)),
                   OK(socket(AF_INET, SOCK_RAW, 200)),     OK(socket(AF_INET6, SOCK_STREAM, 0)),
                   OK(socket(AF_INET6, SOCK_DGRAM, 0)),    OK(socket(AF_INET6, SOCK_RAW, 200))};
  int levels[] = {IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6, SOL_RAW, 99}, value = 1;
  for (unsigned f = 0; f < COUNT(sockets); f++)
    for (unsigned i = 0; i < COUNT(levels); i++) {
      say("socket %u: ", f);
      set(sockets[f], levels[i], 250, &value, 4);
      get(sockets[f], levels[i], 250, 4);
    }
}

SUBTEST(icmp_filter) {
  int fd = OK(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  struct sockaddr_in to = in4("127.0.0.1", 0);
  struct icmphdr echo = {.type = ICMP_ECHO, .checksum = htons(0xf7ff)};
  OK(connect(fd, (void *)&to, sizeof to));
  CHECK_EQ(send(fd, &echo, sizeof echo, 0), sizeof echo);
  types(fd, 20);
  uint32_t filter = ~(1u << ICMP_ECHOREPLY);
  OK(setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, 4));
  CHECK_EQ(send(fd, &echo, sizeof echo, 0), sizeof echo);
  types(fd, 20);
}

SUBTEST(icmp6_filter) {
  int fd = OK(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
  struct sockaddr_in6 to = in6("::1", 0);
  struct icmp6_hdr echo = {.icmp6_type = ICMP6_ECHO_REQUEST};
  OK(connect(fd, (void *)&to, sizeof to));
  CHECK_EQ(send(fd, &echo, sizeof echo, 0), sizeof echo);
  types(fd, 0);
  struct icmp6_filter filter;
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
  OK(setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter));
  CHECK_EQ(send(fd, &echo, sizeof echo, 0), sizeof echo);
  types(fd, 0);
}

SUBTEST(checksums) {
  int fd = OK(socket(AF_INET6, SOCK_RAW, 200)), in = OK(socket(AF_INET6, SOCK_RAW, 200)), at = 6;
  struct sockaddr_in6 to = in6("::1", 0);
  OK(connect(fd, (void *)&to, sizeof to));
  unsigned char packet[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, got[64];
  CHECK_EQ(send(fd, packet, sizeof packet, 0), sizeof packet);
  CHECK_EQ(recv(in, got, sizeof got, 0), sizeof packet);
  say("not filled in: %02x%02x\n", got[6], got[7]);
  OK(setsockopt(fd, SOL_RAW, IPV6_CHECKSUM, &at, 4));
  CHECK_EQ(send(fd, packet, sizeof packet, 0), sizeof packet);
  CHECK_EQ(recv(in, got, sizeof got, 0), sizeof packet);
  say("filled in: %02x%02x\n", got[6], got[7]);
  for (int size = 6; size < 10; size++) {
    int r = send(fd, packet, size, 0);
    say("%d bytes: %d %s\n", size, r, r < 0 ? strerrorname_np(errno) : "");
  }
  while (recv(in, got, sizeof got, MSG_DONTWAIT) > 0)
    ;
  // Who asks for checksums does not get what is wrong.
  OK(setsockopt(in, SOL_RAW, IPV6_CHECKSUM, &at, 4));
  CHECK_EQ(send(fd, packet, sizeof packet, 0), sizeof packet);
  CHECK_EQ(recv(in, got, sizeof got, MSG_DONTWAIT), sizeof packet);
  int off = -1;
  OK(setsockopt(fd, SOL_RAW, IPV6_CHECKSUM, &off, 4));
  CHECK_EQ(send(fd, packet, sizeof packet, 0), sizeof packet);
  CHECK_ERR(recv(in, got, sizeof got, MSG_DONTWAIT), EAGAIN);
}

// /proc/net of a network namespace of its own: routes, groups, sockets, counters (proc_net(5)).
#include "net.h"
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/route.h>

static char text[65536];

static char *table(const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/net/%s", name);
  int fd = OK(open(path, O_RDONLY)), n = 0, got;
  while ((got = OK(read(fd, text + n, sizeof text - 1 - n))) > 0) n += got;
  text[n] = 0;
  close(fd);
  return text;
}

// A route to a prefix over lo, or none there.
static void put_route(int family, const char *prefix, int bits, int metric, int type) {
  struct {
    struct nlmsghdr h;
    struct rtmsg m;
    char attributes[128];
  } q = {{NLMSG_LENGTH(sizeof(struct rtmsg)), RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK, 1, 0},
         {.rtm_family = family, .rtm_dst_len = bits, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC,
          .rtm_scope = RT_SCOPE_LINK, .rtm_type = type}, {0}};
  unsigned char dst[16];
  CHECK(inet_pton(family, prefix, dst) == 1);
  int lo = 1, size = family == AF_INET ? 4 : 16;
  struct rtattr *a = (void *)((char *)&q + q.h.nlmsg_len);
  *a = (struct rtattr){RTA_LENGTH(size), RTA_DST};
  memcpy(RTA_DATA(a), dst, size);
  a = (void *)((char *)a + RTA_SPACE(size));
  *a = (struct rtattr){RTA_LENGTH(4), RTA_OIF};
  memcpy(RTA_DATA(a), &lo, 4);
  a = (void *)((char *)a + RTA_SPACE(4));
  *a = (struct rtattr){RTA_LENGTH(4), RTA_PRIORITY};
  memcpy(RTA_DATA(a), &metric, 4);
  q.h.nlmsg_len += RTA_SPACE(size) + 2 * RTA_SPACE(4);
  int fd = OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
  OK(send(fd, &q, q.h.nlmsg_len, 0));
  struct {
    struct nlmsghdr h;
    struct nlmsgerr e;
    char rest[256];
  } r;
  OK(recv(fd, &r, sizeof r, 0));
  if (r.h.nlmsg_type != NLMSG_ERROR || r.e.error != 0) SKIP("routes cannot be set");
  close(fd);
}

SUBTEST_FORK(route) {
  put_route(AF_INET, "10.1.0.0", 16, 7, RTN_UNICAST);
  put_route(AF_INET, "10.1.0.0", 24, 0, RTN_UNICAST);
  put_route(AF_INET, "172.16.5.4", 32, 0, RTN_UNICAST);
  say("%s", table("route"));
}

SUBTEST_FORK(ipv6_route) {
  put_route(AF_INET6, "fd00:1::", 32, 1024, RTN_UNREACHABLE);
  // References and uses are the kernel's own business.
  char *save, *line = strtok_r(table("ipv6_route"), "\n", &save);
  for (; line; line = strtok_r(NULL, "\n", &save)) {
    if (strstr(line, "ff00000000") == line) continue;
    memset(line + 32 + 1 + 2 + 1 + 32 + 1 + 2 + 1 + 32 + 1 + 8 + 1, '.', 17);
    say("%s\n", line);
  }
}

SUBTEST_FORK(empty) {
  say("%s", table("arp"));
  say("%s", table("dev_mcast"));
  say("%s", table("udplite"));
  say("%s", table("udplite6"));
}

SUBTEST_FORK(groups) {
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0)), other = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct ip_mreqn m = {{0}, {htonl(INADDR_LOOPBACK)}, 1};
  CHECK(inet_pton(AF_INET, "239.1.2.3", &m.imr_multiaddr) == 1);
  OK(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m));
  OK(setsockopt(other, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m));
  // Timers and reporters come and go.
  char *save, *line = strtok_r(table("igmp"), "\n", &save);
  for (; line; line = strtok_r(NULL, "\n", &save)) say("%.18s\n", line + (line[0] == '\t' ? 4 : 0));
  int six = OK(socket(AF_INET6, SOCK_DGRAM, 0));
  struct ipv6_mreq m6 = {.ipv6mr_interface = 1};
  CHECK(inet_pton(AF_INET6, "ff02::1:2:3", &m6.ipv6mr_multiaddr) == 1);
  OK(setsockopt(six, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &m6, sizeof m6));
  line = strtok_r(table("igmp6"), "\n", &save);
  for (; line; line = strtok_r(NULL, "\n", &save)) say("%.58s\n", line);
}

// The value of a counter: of the line of values whose title and name are these.
static long counter(const char *file, const char *title, const char *name) {
  char *names = table(file), *line;
  size_t n = strlen(title);
  while (names && strncmp(names, title, n) != 0) names = (line = strchr(names, '\n')) ? line + 1 : NULL;
  if (!names) FAIL("no %s in %s", title, file);
  char *values = strchr(names, '\n') + 1, *a, *b;
  CHECK(strncmp(values, title, n) == 0);
  values[-1] = 0;
  char *x = strtok_r(names, " ", &a), *y = strtok_r(values, " \n", &b);
  for (; x && y; x = strtok_r(NULL, " ", &a), y = strtok_r(NULL, " \n", &b))
    if (strcmp(x, name) == 0) return atol(y);
  FAIL("no %s of %s in %s", name, title, file);
}

static long counter6(const char *name) {
  char *at = table("snmp6");
  size_t n = strlen(name);
  for (; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
    if (strncmp(at, name, n) == 0 && (at[n] == ' ' || at[n] == '\t')) return atol(at + n);
  FAIL("no %s in snmp6", name);
}

SUBTEST_FORK(counters) {
  static const char *const of[][2] = {
    {"Ip:", "InReceives"}, {"Ip:", "OutRequests"}, {"Ip:", "InDelivers"}, {"Udp:", "InDatagrams"}, {"Udp:", "OutDatagrams"},
    {"Udp:", "NoPorts"}, {"Icmp:", "OutDestUnreachs"}, {"Icmp:", "InDestUnreachs"}, {"Tcp:", "ActiveOpens"},
    {"Tcp:", "PassiveOpens"}, {"Tcp:", "CurrEstab"}, {"Tcp:", "OutRsts"},
  };
  long before[COUNT(of)];
  for (unsigned i = 0; i < COUNT(of); i++) before[i] = counter("snmp", of[i][0], of[i][1]);
  long six = counter6("Udp6InDatagrams");
  int s[2], t[2], u = OK(socket(AF_INET, SOCK_DGRAM, 0)), c = OK(socket(AF_INET, SOCK_STREAM, 0));
  udp_pair(s);
  OK(send(s[0], "a", 1, 0));
  OK(send(s[0], "b", 1, 0));
  char buf[8];
  OK(recv(s[1], buf, sizeof buf, 0));
  OK(recv(s[1], buf, sizeof buf, 0));
  struct sockaddr_in a = in4("127.0.0.1", 9);
  OK(sendto(u, "x", 1, 0, (void *)&a, sizeof a));
  CHECK_ERR(connect(c, (void *)&a, sizeof a), ECONNREFUSED);
  tcp_pair(t);
  int v6[2] = {bound6(SOCK_DGRAM, "::1"), bound6(SOCK_DGRAM, "::1")};
  struct sockaddr_in6 to = in6("::1", port_of(v6[1]));
  OK(sendto(v6[0], "x", 1, 0, (void *)&to, sizeof to));
  OK(recv(v6[1], buf, sizeof buf, 0));
  for (unsigned i = 0; i < COUNT(of); i++)
    say("%s %s: %ld more\n", of[i][0], of[i][1], counter("snmp", of[i][0], of[i][1]) - before[i]);
  say("Udp6InDatagrams: %ld more\n", counter6("Udp6InDatagrams") - six);
  // As this host is set up.
  char forward;
  int f = OK(open("/proc/sys/net/ipv4/ip_forward", O_RDONLY));
  CHECK_EQ(OK(read(f, &forward, 1)), 1);
  OK(close(f));
  CHECK_EQ(counter("snmp", "Ip:", "Forwarding"), forward == '1' ? 1 : 2);
  say("ttl %ld\n", counter("snmp", "Ip:", "DefaultTTL"));
  say("listen overflows %ld\n", counter("netstat", "TcpExt:", "ListenOverflows"));
  CHECK(counter("netstat", "IpExt:", "InMcastPkts") >= 0);
}

SUBTEST_FORK(filtered) {
  // What a filter throws away is an error of UDP's.
  long in = counter("snmp", "Udp:", "InDatagrams"), errors = counter("snmp", "Udp:", "InErrors");
  int s[2];
  udp_pair(s);
  struct {
    unsigned short code;
    unsigned char jt, jf;
    unsigned k;
  } none = {6, 0, 0, 0};
  struct {
    unsigned short len;
    void *filter;
  } p = {1, &none};
  OK(setsockopt(s[1], SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p));
  OK(send(s[0], "a", 1, 0));
  say("%ld heard, %ld errors\n", counter("snmp", "Udp:", "InDatagrams") - in, counter("snmp", "Udp:", "InErrors") - errors);
}

SUBTEST_FORK(packet_sockets) {
  int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IPV6));
  if (fd < 0) SKIP("no packet sockets");
  char *line = strchr(table("packet"), '\n') + 1;
  char *end = strstr(line, "86dd");
  CHECK(end != NULL);
  say("%.28s\n", end - 5);
  int nl = OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
  struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_pid = 4321, .nl_groups = RTMGRP_LINK};
  OK(bind(nl, (void *)&a, sizeof a));
  char *row = strstr(table("netlink"), " 0   4321 ");
  CHECK(row != NULL);
  say("%.24s\n", row);
}

SUBTEST_FORK(protocol_list) {
  int s[2];
  udp_pair(s);
  char *save, *line = strtok_r(table("protocols"), "\n", &save);
  say("%s\n", line);
  for (; line; line = strtok_r(NULL, "\n", &save)) {
    char name[16];
    int size, sockets;
    if (sscanf(line, "%15s %d %d", name, &size, &sockets) == 3 && (!strcmp(name, "UDP") || !strcmp(name, "RAW")))
      say("%s: %d\n", name, sockets);
  }
  CHECK(strstr(table("ptype"), "0800          ip_rcv\n") != NULL);
}

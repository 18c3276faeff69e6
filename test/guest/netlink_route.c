// NETLINK_ROUTE in a network namespace of its own: links, addresses, routes, rules, neighbours, notifications, errors.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fd;
static unsigned seq;
static char buf[65536];

struct request {
  struct nlmsghdr h;
  char body[512];
};
static struct request rq;

static void begin(int type, int flags, const void *head, int size) {
  memset(&rq, 0, sizeof rq);
  rq.h.nlmsg_len = NLMSG_LENGTH(size);
  rq.h.nlmsg_type = type;
  rq.h.nlmsg_flags = NLM_F_REQUEST | flags;
  rq.h.nlmsg_seq = ++seq;
  memcpy(rq.body, head, size);
}
static void attr(int type, const void *data, int size) {
  struct rtattr *a = (void *)((char *)&rq + NLMSG_ALIGN(rq.h.nlmsg_len));
  a->rta_type = type;
  a->rta_len = RTA_LENGTH(size);
  memcpy(RTA_DATA(a), data, size);
  rq.h.nlmsg_len = NLMSG_ALIGN(rq.h.nlmsg_len) + RTA_ALIGN(a->rta_len);
}
static void addr4(int type, const char *text) {
  struct in_addr a;
  inet_pton(AF_INET, text, &a);
  attr(type, &a, 4);
}
static void number(int type, unsigned value) { attr(type, &value, 4); }

static void show_attr(const char *name, struct rtattr *a, int family) {
  char text[64];
  inet_ntop(family, RTA_DATA(a), text, sizeof text);
  printf(" %s %s", name, text);
}
static void show(struct nlmsghdr *h) {
  int len;
  struct rtattr *a;
  switch (h->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      struct ifinfomsg *m = NLMSG_DATA(h);
      printf("  link %d type %d flags %x", m->ifi_index, m->ifi_type, m->ifi_flags);
      len = IFLA_PAYLOAD(h);
      for (a = IFLA_RTA(m); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
        if (a->rta_type == IFLA_IFNAME) printf(" name %s", (char *)RTA_DATA(a));
        if (a->rta_type == IFLA_MTU) printf(" mtu %u", *(unsigned *)RTA_DATA(a));
        if (a->rta_type == IFLA_TXQLEN) printf(" qlen %u", *(unsigned *)RTA_DATA(a));
        if (a->rta_type == IFLA_ADDRESS) printf(" address %d bytes", (int)RTA_PAYLOAD(a));
        if (a->rta_type == IFLA_STATS64) printf(" stats64");
        if (a->rta_type == IFLA_OPERSTATE) printf(" state %d", *(unsigned char *)RTA_DATA(a));
      }
      break;
    }
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      struct ifaddrmsg *m = NLMSG_DATA(h);
      printf("  %s %d/%d scope %d index %d", h->nlmsg_type == RTM_NEWADDR ? "addr" : "gone", m->ifa_family, m->ifa_prefixlen, m->ifa_scope, m->ifa_index);
      len = IFA_PAYLOAD(h);
      for (a = IFA_RTA(m); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
        if (a->rta_type == IFA_ADDRESS) show_attr("address", a, m->ifa_family);
        if (a->rta_type == IFA_LOCAL) show_attr("local", a, m->ifa_family);
        if (a->rta_type == IFA_BROADCAST) show_attr("broadcast", a, m->ifa_family);
        if (a->rta_type == IFA_LABEL) printf(" label %s", (char *)RTA_DATA(a));
        if (a->rta_type == IFA_FLAGS) printf(" flags %x", *(unsigned *)RTA_DATA(a));
      }
      break;
    }
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      struct rtmsg *m = NLMSG_DATA(h);
      printf("  %s %d/%d type %d scope %d proto %d", h->nlmsg_type == RTM_NEWROUTE ? "route" : "gone", m->rtm_family, m->rtm_dst_len, m->rtm_type, m->rtm_scope, m->rtm_protocol);
      len = RTM_PAYLOAD(h);
      for (a = RTM_RTA(m); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
        if (a->rta_type == RTA_DST) show_attr("dst", a, m->rtm_family);
        if (a->rta_type == RTA_GATEWAY) show_attr("via", a, m->rtm_family);
        if (a->rta_type == RTA_PREFSRC) show_attr("src", a, m->rtm_family);
        if (a->rta_type == RTA_TABLE) printf(" table %u", *(unsigned *)RTA_DATA(a));
        if (a->rta_type == RTA_OIF) printf(" dev %u", *(unsigned *)RTA_DATA(a));
        if (a->rta_type == RTA_PRIORITY) printf(" metric %u", *(unsigned *)RTA_DATA(a));
      }
      break;
    }
    case RTM_NEWRULE: {
      struct fib_rule_hdr *m = NLMSG_DATA(h);
      printf("  rule family %d action %d", m->family, m->action);
      len = h->nlmsg_len - NLMSG_LENGTH(sizeof *m);
      for (a = (void *)(m + 1); RTA_OK(a, len); a = RTA_NEXT(a, len)) {
        if (a->rta_type == FRA_TABLE) printf(" table %u", *(unsigned *)RTA_DATA(a));
        if (a->rta_type == FRA_PRIORITY) printf(" priority %u", *(unsigned *)RTA_DATA(a));
      }
      break;
    }
    case NLMSG_ERROR: {
      struct nlmsgerr *e = NLMSG_DATA(h);
      printf("  error %s, flags %x, of type %d", e->error ? strerror(-e->error) : "none", h->nlmsg_flags, e->msg.nlmsg_type);
      break;
    }
    default:
      printf("  type %d", h->nlmsg_type);
  }
  printf("\n");
}

/** Sends the request and shows the answers. */
static void ask(const char *what) {
  printf("%s\n", what);
  struct sockaddr_nl to = { AF_NETLINK };
  if (sendto(fd, &rq, rq.h.nlmsg_len, 0, (void *)&to, sizeof to) < 0) {
    printf("  send: %s\n", strerror(errno));
    return;
  }
  int dump = (rq.h.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
  for (int done = 0; !done;) {
    int n = recv(fd, buf, sizeof buf, 0);
    if (n < 0) {
      printf("  recv: %s\n", strerror(errno));
      return;
    }
    for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
      if (h->nlmsg_seq != seq) printf("  another sequence number\n");
      if (h->nlmsg_type == NLMSG_DONE) done = 1;
      else show(h);
      if (!dump || h->nlmsg_type == NLMSG_ERROR) done = 1;
      if (dump && !(h->nlmsg_flags & NLM_F_MULTI) && h->nlmsg_type != NLMSG_ERROR) printf("  not one of many\n");
    }
  }
}
static void dump(const char *what, int type, int family) {
  struct rtgenmsg g = { family };
  begin(type, NLM_F_DUMP, &g, sizeof g);
  ask(what);
}
static void heard(int other) {
  int n;
  while ((n = recv(other, buf, sizeof buf, MSG_DONTWAIT)) > 0) {
    printf("heard\n");
    for (struct nlmsghdr *h = (void *)buf; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) show(h);
  }
}

int main(void) {
  setvbuf(stdout, 0, _IOLBF, 0);
  if (unshare(CLONE_NEWNET) != 0) {
    printf("unshare: %s\n", strerror(errno));
    return 1;
  }
  fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  struct sockaddr_nl own = { AF_NETLINK };
  socklen_t len = sizeof own;
  printf("bind %d\n", bind(fd, (void *)&own, sizeof own));
  getsockname(fd, (void *)&own, &len);
  printf("port is the pid: %d, %d bytes\n", own.nl_pid == (unsigned)getpid(), len);
  int second = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE);
  struct sockaddr_nl taken = { AF_NETLINK, 0, own.nl_pid, 0 };
  printf("the same port: %s\n", bind(second, (void *)&taken, sizeof taken) ? strerror(errno) : "bound");
  struct sockaddr_nl groups = { AF_NETLINK, 0, 0, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE };
  printf("groups %d\n", bind(second, (void *)&groups, sizeof groups));
  getsockname(second, (void *)&groups, &len);
  printf("port is negative: %d, groups %x\n", (int)groups.nl_pid < 0, groups.nl_groups);

  dump("links", RTM_GETLINK, AF_UNSPEC);
  dump("addresses", RTM_GETADDR, AF_UNSPEC);
  dump("rules", RTM_GETRULE, AF_INET);
  dump("rules, IPv6", RTM_GETRULE, AF_INET6);

  struct ifinfomsg link = { .ifi_index = 1, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };
  begin(RTM_NEWLINK, NLM_F_ACK, &link, sizeof link);
  ask("lo up");
  dump("addresses", RTM_GETADDR, AF_INET);
  dump("routes", RTM_GETROUTE, AF_INET);
  heard(second);

  struct ifaddrmsg addr = { .ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = 1 };
  begin(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &addr, sizeof addr);
  addr4(IFA_LOCAL, "10.1.2.3");
  addr4(IFA_ADDRESS, "10.1.2.3");
  ask("an address");
  begin(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &addr, sizeof addr);
  addr4(IFA_LOCAL, "10.1.2.3");
  addr4(IFA_ADDRESS, "10.1.2.3");
  ask("again");
  addr.ifa_index = 77;
  begin(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE, &addr, sizeof addr);
  addr4(IFA_LOCAL, "10.1.2.4");
  ask("of no interface");
  addr.ifa_index = 1;
  dump("addresses", RTM_GETADDR, AF_INET);
  dump("routes", RTM_GETROUTE, AF_INET);
  heard(second);

  struct rtmsg route = { .rtm_family = AF_INET, .rtm_dst_len = 16, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC, .rtm_type = RTN_UNICAST };
  begin(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &route, sizeof route);
  addr4(RTA_DST, "10.9.0.0");
  number(RTA_OIF, 1);
  number(RTA_PRIORITY, 7);
  route.rtm_scope = RT_SCOPE_LINK;
  ((struct rtmsg *)rq.body)->rtm_scope = RT_SCOPE_LINK;
  ask("a route");
  begin(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &route, sizeof route);
  addr4(RTA_DST, "10.9.0.0");
  number(RTA_OIF, 1);
  number(RTA_PRIORITY, 7);
  ask("again");
  begin(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &route, sizeof route);
  addr4(RTA_DST, "10.9.1.0");
  number(RTA_OIF, 1);
  ask("with bits behind its prefix");
  struct rtmsg far = { .rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC, .rtm_type = RTN_UNICAST };
  begin(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &far, sizeof far);
  addr4(RTA_GATEWAY, "192.0.2.1");
  ask("by a gateway that is nowhere");
  struct rtmsg hole = { .rtm_family = AF_INET, .rtm_dst_len = 24, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC, .rtm_type = RTN_BLACKHOLE };
  begin(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE, &hole, sizeof hole);
  addr4(RTA_DST, "203.0.113.0");
  ask("a black hole");
  heard(second);
  struct rtmsg get = { .rtm_family = AF_INET, .rtm_dst_len = 32 };
  begin(RTM_GETROUTE, 0, &get, sizeof get);
  addr4(RTA_DST, "198.51.100.1");
  ask("the way to nowhere");
  begin(RTM_GETROUTE, 0, &get, sizeof get);
  addr4(RTA_DST, "203.0.113.5");
  ask("the way into the hole");
  begin(RTM_DELROUTE, NLM_F_ACK, &route, sizeof route);
  addr4(RTA_DST, "10.9.0.0");
  ask("without the route");
  begin(RTM_DELROUTE, NLM_F_ACK, &route, sizeof route);
  addr4(RTA_DST, "10.9.0.0");
  ask("again");
  begin(RTM_DELADDR, NLM_F_ACK, &addr, sizeof addr);
  addr4(IFA_LOCAL, "10.1.2.3");
  ask("without the address");
  dump("addresses", RTM_GETADDR, AF_INET);
  heard(second);

  begin(RTM_MAX + 10, NLM_F_ACK, &link, sizeof link);
  ask("no such type");
  begin(RTM_GETLINK, 0, &link, sizeof link);
  ((struct ifinfomsg *)rq.body)->ifi_index = 99;
  ask("no such link");
  int one = 1;
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof one);
  begin(RTM_GETLINK, 0, &link, sizeof link);
  ((struct ifinfomsg *)rq.body)->ifi_index = 99;
  ask("no such link, told briefly");
  printf("%d bytes\n", ((struct nlmsghdr *)buf)->nlmsg_len);
  unsigned group = RTNLGRP_NEIGH;
  printf("join %d\n", setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group));
  group = 5000;
  int joined = setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group);
  printf("join %d %s\n", joined, strerror(errno));
  int none = socket(AF_NETLINK, SOCK_RAW, 31);
  printf("no such protocol: %d %s\n", none, strerror(errno));
  none = socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE);
  printf("a stream: %d %s\n", none, strerror(errno));
  if (setresuid(65534, 65534, 65534) == 0) {
    link.ifi_flags = 0;
    begin(RTM_NEWLINK, NLM_F_ACK, &link, sizeof link);
    ask("down, as nobody");
    begin(RTM_GETLINK, 0, &link, sizeof link);
    ask("a look, as nobody");
  }
  return 0;
}

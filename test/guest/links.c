// Interfaces that programs make: veth pairs, bridges, moves between network namespaces, forwarding, notifications, errors; all by
// rtnetlink(7), in a network namespace of its own.
#include "net.h"
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/ethernet.h>
#include <sys/mount.h>

#ifndef IFF_LOWER_UP
#define IFF_LOWER_UP 0x10000
#endif

static unsigned char rq[2048];
static unsigned seq;
static struct nlmsghdr *const head = (void *)rq;

static int route_socket(int groups) {
  int fd = OK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = groups};
  OK(bind(fd, (void *)&a, sizeof a));
  return fd;
}
static void begin(int type, int flags, const void *body, int size) {
  memset(rq, 0, sizeof rq);
  head->nlmsg_len = NLMSG_LENGTH(size);
  head->nlmsg_type = type;
  head->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
  head->nlmsg_seq = ++seq;
  memcpy(NLMSG_DATA(rq), body, size);
}
static struct rtattr *attr(int type, const void *data, int size) {
  struct rtattr *a = (void *)(rq + NLMSG_ALIGN(head->nlmsg_len));
  a->rta_type = type;
  a->rta_len = RTA_LENGTH(size);
  if (size > 0) memcpy(RTA_DATA(a), data, size);
  head->nlmsg_len = NLMSG_ALIGN(head->nlmsg_len) + RTA_ALIGN(a->rta_len);
  return a;
}
static void text(int type, const char *s) { attr(type, s, strlen(s) + 1); }
static void number(int type, unsigned v) { attr(type, &v, 4); }
static struct rtattr *nest(int type) { return attr(type, NULL, 0); }
static void unnest(struct rtattr *a) { a->rta_len = rq + head->nlmsg_len - (unsigned char *)a; }

// Sends the request: 0 or -1 with errno.
static int ask(void) {
  static int fd = -1;
  static int pid;
  static unsigned long ns;
  struct stat st;
  OK(stat("/proc/thread-self/ns/net", &st));
  if (fd < 0 || pid != getpid() || ns != st.st_ino) fd = route_socket(0), pid = getpid(), ns = st.st_ino;
  OK(send(fd, rq, head->nlmsg_len, 0));
  char answer[4096];
  int n = OK(recv(fd, answer, sizeof answer, 0));
  CHECK(n >= NLMSG_LENGTH(sizeof(int)));
  struct nlmsghdr *h = (void *)answer;
  CHECK_EQ(h->nlmsg_type, NLMSG_ERROR);
  errno = -*(int *)NLMSG_DATA(h);
  return errno ? -1 : 0;
}

static int find(const char *name) { return if_nametoindex(name); }
static void begin_new(const char *name, int flags) {
  struct ifinfomsg m = {0};
  begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | flags, &m, sizeof m);
  if (name) text(IFLA_IFNAME, name);
}
static int new_kind(const char *name, const char *kind) {
  begin_new(name, 0);
  struct rtattr *info = nest(IFLA_LINKINFO);
  text(IFLA_INFO_KIND, kind);
  unnest(info);
  return ask();
}
static int new_veth_in(const char *name, const char *peer, int pid, int mtu) {
  begin_new(name, 0);
  if (mtu) number(IFLA_MTU, mtu);
  struct rtattr *info = nest(IFLA_LINKINFO);
  text(IFLA_INFO_KIND, "veth");
  struct rtattr *data = nest(IFLA_INFO_DATA);
  struct ifinfomsg m = {0};
  struct rtattr *p = attr(VETH_INFO_PEER, &m, sizeof m);
  if (peer) text(IFLA_IFNAME, peer);
  if (mtu) number(IFLA_MTU, mtu);
  if (pid) number(IFLA_NET_NS_PID, pid);
  unnest(p);
  unnest(data);
  unnest(info);
  return ask();
}
static int new_veth(const char *name, const char *peer) { return new_veth_in(name, peer, 0, 0); }
static void begin_set(const char *name, unsigned flags, unsigned change) {
  struct ifinfomsg m = {.ifi_index = find(name), .ifi_flags = flags, .ifi_change = change};
  begin(RTM_NEWLINK, 0, &m, sizeof m);
}
static void set_up(const char *name, bool on) {
  begin_set(name, on ? IFF_UP : 0, IFF_UP);
  OK(ask());
}
static int set_number(const char *name, int type, unsigned value) {
  begin_set(name, 0, 0);
  number(type, value);
  return ask();
}
static int del(const char *name) {
  struct ifinfomsg m = {0};
  begin(RTM_DELLINK, 0, &m, sizeof m);
  text(IFLA_IFNAME, name);
  return ask();
}
static void add_address(const char *name, const char *a, int bits) {
  struct ifaddrmsg m = {.ifa_family = AF_INET, .ifa_prefixlen = bits, .ifa_index = find(name)};
  begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof m);
  struct in_addr in;
  inet_pton(AF_INET, a, &in);
  attr(IFA_LOCAL, &in, 4);
  attr(IFA_ADDRESS, &in, 4);
  OK(ask());
}
static void default_route(const char *via) {
  struct rtmsg m = {.rtm_family = AF_INET, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT, .rtm_type = RTN_UNICAST};
  begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof m);
  struct in_addr in;
  inet_pton(AF_INET, via, &in);
  attr(RTA_GATEWAY, &in, 4);
  OK(ask());
}

static struct rtattr *find_attr(struct rtattr *a, int len, int type) {
  for (; RTA_OK(a, len); a = RTA_NEXT(a, len))
    if ((a->rta_type & NLA_TYPE_MASK) == type) return a;
  return NULL;
}
static struct rtattr *inside(struct rtattr *a, int type) {
  return a ? find_attr(RTA_DATA(a), RTA_PAYLOAD(a), type) : NULL;
}
static void show_message(struct nlmsghdr *h) {
  struct ifinfomsg *m = NLMSG_DATA(h);
  struct rtattr *first = IFLA_RTA(m), *a;
  int len = IFLA_PAYLOAD(h);
  char line[512];
  int n = sprintf(line, "%s", h->nlmsg_type == RTM_NEWLINK ? "link" : "gone");
#define GET(type) (a = find_attr(first, len, type))
  if (GET(IFLA_IFNAME)) n += sprintf(line + n, " %s", (char *)RTA_DATA(a));
  n += sprintf(line + n, " index %d type %d flags %x", m->ifi_index, m->ifi_type, m->ifi_flags);
  if (GET(IFLA_MTU)) n += sprintf(line + n, " mtu %u", *(unsigned *)RTA_DATA(a));
  if (GET(IFLA_OPERSTATE)) n += sprintf(line + n, " state %d", *(unsigned char *)RTA_DATA(a));
  if (GET(IFLA_CARRIER)) n += sprintf(line + n, " carrier %d", *(unsigned char *)RTA_DATA(a));
  if (GET(IFLA_LINK)) n += sprintf(line + n, " peer %u", *(unsigned *)RTA_DATA(a));
  if (GET(IFLA_LINK_NETNSID)) n += sprintf(line + n, " in %d", *(int *)RTA_DATA(a));
  if (GET(IFLA_MASTER)) n += sprintf(line + n, " master %u", *(unsigned *)RTA_DATA(a));
  if (GET(IFLA_GROUP)) n += sprintf(line + n, " group %u", *(unsigned *)RTA_DATA(a));
  if (GET(IFLA_MIN_MTU)) n += sprintf(line + n, " least %u", *(unsigned *)RTA_DATA(a));
  if (GET(IFLA_MAX_MTU)) n += sprintf(line + n, " most %u", *(unsigned *)RTA_DATA(a));
  if (GET(IFLA_IFALIAS)) n += sprintf(line + n, " alias %s", (char *)RTA_DATA(a));
  if (GET(IFLA_ADDRESS)) n += sprintf(line + n, " address of %d", (int)RTA_PAYLOAD(a));
  struct rtattr *info = GET(IFLA_LINKINFO);
  if ((a = inside(info, IFLA_INFO_KIND))) n += sprintf(line + n, " kind %s", (char *)RTA_DATA(a));
  if ((a = inside(info, IFLA_INFO_SLAVE_KIND))) n += sprintf(line + n, " port of a %s", (char *)RTA_DATA(a));
  if ((a = inside(inside(info, IFLA_INFO_SLAVE_DATA), IFLA_BRPORT_STATE)))
    n += sprintf(line + n, " port state %d", *(unsigned char *)RTA_DATA(a));
  say("%s\n", line);
}
// What RTM_GETLINK says of one interface, once it has the state wanted (0 for any): the kernel notices carriers a little later.
static void show(const char *name) {
  int fd = route_socket(0);
  struct ifinfomsg m = {.ifi_index = find(name)};
  if (m.ifi_index == 0) {
    say("no %s\n", name);
    close(fd);
    return;
  }
  begin(RTM_GETLINK, 0, &m, sizeof m);
  head->nlmsg_flags = NLM_F_REQUEST;
  OK(send(fd, rq, head->nlmsg_len, 0));
  char answer[8192];
  OK(recv(fd, answer, sizeof answer, 0));
  show_message((void *)answer);
  close(fd);
}
static int state_of(const char *name) {
  char path[128];
  snprintf(path, sizeof path, "/proc/thread-self/net/dev");
  int fd = route_socket(0);
  struct ifinfomsg m = {.ifi_index = find(name)};
  begin(RTM_GETLINK, 0, &m, sizeof m);
  head->nlmsg_flags = NLM_F_REQUEST;
  OK(send(fd, rq, head->nlmsg_len, 0));
  char answer[8192];
  OK(recv(fd, answer, sizeof answer, 0));
  struct nlmsghdr *h = (void *)answer;
  struct rtattr *a = find_attr(IFLA_RTA(NLMSG_DATA(h)), IFLA_PAYLOAD(h), IFLA_OPERSTATE);
  close(fd);
  return a ? *(unsigned char *)RTA_DATA(a) : -1;
}
static void settle(const char *name, int state) {
  for (int i = 0; i < 500 && state_of(name) != state; i++) sleep_ms(20);
}

// A child in a network namespace of its own that lives until the gate opens, or runs `body` first.
struct other {
  pid_t pid;
  struct gate ready, go;
};
static void no_dad(void) {
  int fd = open("/proc/sys/net/ipv6/conf/all/disable_ipv6", O_WRONLY);
  if (fd < 0) return;
  if (write(fd, "1", 1) < 0) errno = 0;
  close(fd);
  fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY);
  if (fd < 0) return;
  if (write(fd, "1", 1) < 0) errno = 0;
  close(fd);
}
static struct other other_namespace(void (*body)(void)) {
  struct other o = {.ready = gate_make(), .go = gate_make()};
  o.pid = SPAWN({
    OK(unshare(CLONE_NEWNET));
    no_dad();
    set_up("lo", true);
    gate_signal(o.ready);
    gate_wait(o.go);
    if (body) body();
  });
  gate_wait(o.ready);
  return o;
}

// Each test has a namespace of its own.
static void fresh(void) {
  NEED_ROOT();
  OK(unshare(CLONE_NEWNET));
}

SUBTEST_FORK(pairs) {
  fresh();
  OK(new_veth("a", "b"));
  show("a");
  show("b");
  CHECK_ERR(new_veth("a", "c"), EEXIST);
  CHECK_ERR(new_veth("c", "b"), EEXIST);
  set_up("a", true);
  show("a");
  set_up("b", true);
  settle("a", 6);
  settle("b", 6);
  show("a");
  show("b");
  set_up("b", false);
  settle("a", 3);
  show("a");
  OK(del("b"));
  show("a");
  OK(new_veth(NULL, NULL));
  show("veth0");
  show("veth1");
}

SUBTEST_FORK(errors) {
  fresh();
  CHECK_ERR(new_kind("x", "nonsense"), EOPNOTSUPP);
  CHECK_ERR(new_veth("same", "same"), EEXIST);
  CHECK_ERR(new_kind("a/b", "bridge"), EINVAL);
  CHECK_ERR(new_kind("a b", "bridge"), EINVAL);
  CHECK_ERR(new_kind("..", "bridge"), EINVAL);
  CHECK_ERR(new_kind("lo", "bridge"), EEXIST);
  CHECK_ERR(del("nothing"), ENODEV);
  CHECK_ERR(del("lo"), EOPNOTSUPP);
  begin_new("x", 0);
  CHECK_ERR(ask(), EOPNOTSUPP);
  struct ifinfomsg m = {0};
  begin(RTM_NEWLINK, 0, &m, sizeof m);
  text(IFLA_IFNAME, "nothing");
  CHECK_ERR(ask(), ENODEV);
  OK(new_veth("a", "b"));
  CHECK_ERR(set_number("a", IFLA_MTU, 60), EINVAL);
  CHECK_ERR(set_number("a", IFLA_MTU, 70000), EINVAL);
  CHECK_ERR(set_number("lo", IFLA_NET_NS_PID, getpid() + 100000), ESRCH);
  CHECK_ERR(set_number("a", IFLA_NET_NS_FD, 999), EBADF);
  CHECK_ERR(set_number("a", IFLA_NET_NS_FD, 1), EINVAL);
  CHECK_ERR(set_number("a", IFLA_MASTER, 77), EINVAL);
  CHECK_ERR(set_number("a", IFLA_MASTER, find("b")), EOPNOTSUPP);
  begin_set("a", 0, 0);
  attr(IFLA_ADDRESS, "\x01\x02\x03\x04\x05\x06", 6);
  CHECK_ERR(ask(), EADDRNOTAVAIL);
  begin_set("a", 0, 0);
  attr(IFLA_ADDRESS, "\x02\x02", 2);
  CHECK_ERR(ask(), EINVAL);
  begin_set("a", 0, 0);
  text(IFLA_IFNAME, "b");
  CHECK_ERR(ask(), EEXIST);
  CHILD {
    OK(setuid(1000));
    CHECK_ERR(new_veth("c", "d"), EPERM);
    CHECK_ERR(del("a"), EPERM);
    CHECK_ERR(set_number("a", IFLA_MTU, 1400), EPERM);
  }
}

SUBTEST_FORK(names) {
  fresh();
  OK(new_veth("a", "b"));
  begin_set("a", 0, 0);
  text(IFLA_IFNAME, "renamed");
  text(IFLA_IFALIAS, "words of mine");
  number(IFLA_GROUP, 7);
  number(IFLA_MTU, 1400);
  OK(ask());
  show("renamed");
  show("a");
  begin_set("b", 0, 0);
  text(IFLA_IFNAME, "n%d");
  OK(ask());
  show("n0");
}

SUBTEST_FORK(bridges) {
  fresh();
  no_dad();
  OK(new_kind("br", "bridge"));
  show("br");
  OK(new_veth("a", "b"));
  CHECK_ERR(set_number("lo", IFLA_MASTER, find("br")), EINVAL);
  OK(new_kind("br2", "bridge"));
  CHECK_ERR(set_number("br2", IFLA_MASTER, find("br")), ELOOP);
  OK(set_number("a", IFLA_MASTER, find("br")));
  show("a");
  OK(set_number("a", IFLA_MASTER, find("br2")));
  OK(set_number("a", IFLA_MASTER, find("br")));
  set_up("br", true);
  settle("br", 2);
  show("br");
  set_up("a", true);
  set_up("b", true);
  settle("br", 6);
  settle("a", 6);
  show("br");
  show("a");
  OK(set_number("b", IFLA_MTU, 1300));
  OK(set_number("a", IFLA_MTU, 1300));
  show("br");
  CHECK_ERR(set_number("br", IFLA_NET_NS_PID, getpid()) == 0 ? (errno = EINVAL, -1) : -1, EINVAL);
  OK(set_number("a", IFLA_MASTER, 0));
  show("a");
  OK(set_number("a", IFLA_MASTER, find("br")));
  OK(del("br"));
  show("a");
}

static void in_other(void) {
  show("b");
  set_up("b", true);
  add_address("b", "10.8.0.2", 24);
  settle("b", 6);
  int l = OK(socket(AF_INET, SOCK_STREAM, 0));
  struct sockaddr_in a = in4("10.8.0.2", 7000);
  OK(bind(l, (void *)&a, sizeof a));
  OK(listen(l, 1));
  int s = OK(accept(l, NULL, NULL));
  static char buf[65536];
  long total = 0;
  for (;;) {
    int n = OK(read(s, buf, sizeof buf));
    if (n == 0) break;
    total += n;
  }
  say("%ld bytes came\n", total);
}
static int connect_to(const char *where, int port) {
  struct sockaddr_in to = in4(where, port);
  for (int i = 0; i < 100; i++) {
    int s = OK(socket(AF_INET, SOCK_STREAM, 0));
    if (connect(s, (void *)&to, sizeof to) == 0) return s;
    close(s);
    sleep_ms(30);
  }
  FAIL("no connection to %s", where);
}
static void send_much(int s, long bytes) {
  static char buf[65536];
  for (long left = bytes; left > 0;) left -= OK(write(s, buf, left < (long)sizeof buf ? left : (long)sizeof buf));
  OK(close(s));
}

SUBTEST_FORK(moves) {
  fresh();
  no_dad();
  OK(new_veth("a", "b"));
  CHECK_ERR(set_number("lo", IFLA_NET_NS_PID, getppid()) == 0 ? (errno = EINVAL, -1) : -1, EINVAL);
  struct other o = other_namespace(in_other);
  OK(set_number("b", IFLA_NET_NS_PID, o.pid));
  show("b");
  show("a");
  gate_signal(o.go);
  set_up("a", true);
  add_address("a", "10.8.0.1", 24);
  send_much(connect_to("10.8.0.2", 7000), 3000000);
  CHILD_DONE(o.pid);
  // The namespace is gone, and with it the pair; the kernel does that a little later.
  for (int i = 0; i < 500 && find("a") != 0; i++) sleep_ms(20);
  show("a");
}

SUBTEST_FORK(made_there) {
  fresh();
  no_dad();
  struct other o = other_namespace(NULL);
  OK(new_veth_in("a", "b", o.pid, 0));
  show("a");
  show("b");
  CHECK_ERR(new_veth_in("c", "b", o.pid, 0), EEXIST);
  OK(del("a"));
  OK(new_veth_in("c", "b", o.pid, 0));
  gate_signal(o.go);
  CHILD_DONE(o.pid);
}

// Two namespaces that are ports of a bridge, which takes part itself.
static struct ether_addr mac_of(const char *name) {
  struct ifreq r = {0};
  strcpy(r.ifr_name, name);
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  OK(ioctl(fd, SIOCGIFHWADDR, &r));
  close(fd);
  struct ether_addr e;
  memcpy(&e, r.ifr_hwaddr.sa_data, 6);
  return e;
}
// The namespace stays until this opens.
static struct gate looked;
static void dialler(void) {
  set_up("b", true);
  add_address("b", "10.8.0.3", 24);
  send_much(connect_to("10.8.0.2", 7000), 200000);
  send_much(connect_to("10.8.0.1", 7001), 1000);
  gate_wait(looked);
}
static int fdb_entries(int wanted_index, int *states) {
  int fd = route_socket(0);
  struct ndmsg m = {.ndm_family = AF_BRIDGE};
  begin(RTM_GETNEIGH, 0, &m, sizeof m);
  head->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  OK(send(fd, rq, head->nlmsg_len, 0));
  static char answer[65536];
  int count = 0;
  *states = 0;
  for (;;) {
    int n = OK(recv(fd, answer, sizeof answer, 0));
    for (struct nlmsghdr *h = (void *)answer; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
      if (h->nlmsg_type == NLMSG_DONE) {
        close(fd);
        return count;
      }
      struct ndmsg *d = NLMSG_DATA(h);
      struct rtattr *first = (void *)((char *)d + NLMSG_ALIGN(sizeof *d));
      int len = h->nlmsg_len - NLMSG_LENGTH(sizeof *d);
      if (d->ndm_ifindex != wanted_index || !find_attr(first, len, NDA_MASTER)) continue;
      struct rtattr *v = find_attr(first, len, NDA_VLAN);
      if (v) continue;
      if (d->ndm_state & NUD_PERMANENT) continue;
      count++;
      *states |= d->ndm_state;
    }
  }
}
SUBTEST_FORK(switching) {
  fresh();
  no_dad();
  OK(new_kind("br", "bridge"));
  set_up("br", true);
  add_address("br", "10.8.0.1", 24);
  looked = gate_make();
  struct other x = other_namespace(in_other), y = other_namespace(dialler);
  OK(new_veth_in("px", "b", x.pid, 0));
  OK(new_veth_in("py", "b", y.pid, 0));
  OK(set_number("px", IFLA_MASTER, find("br")));
  OK(set_number("py", IFLA_MASTER, find("br")));
  set_up("px", true);
  set_up("py", true);
  int l = OK(socket(AF_INET, SOCK_STREAM, 0));
  struct sockaddr_in a = in4("10.8.0.1", 7001);
  OK(bind(l, (void *)&a, sizeof a));
  OK(listen(l, 1));
  gate_signal(x.go);
  sleep_ms(200);
  gate_signal(y.go);
  int s = OK(accept(l, NULL, NULL));
  char buf[2000];
  int total = 0, n;
  while ((n = OK(read(s, buf, sizeof buf))) > 0) total += n;
  say("%d bytes came to the bridge\n", total);
  int states, learned = fdb_entries(find("py"), &states);
  say("%d learned, states %x\n", learned, states);
  // A static entry, twice; then it goes.
  struct ndmsg m = {.ndm_family = AF_BRIDGE, .ndm_ifindex = find("py"), .ndm_state = NUD_NOARP, .ndm_flags = NTF_MASTER};
  begin(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof m);
  attr(NDA_LLADDR, "\x02\x00\x00\x00\x00\x01", 6);
  OK(ask());
  begin(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof m);
  attr(NDA_LLADDR, "\x02\x00\x00\x00\x00\x01", 6);
  CHECK_ERR(ask(), EEXIST);
  learned = fdb_entries(find("py"), &states);
  say("%d entries, states %x\n", learned, states);
  begin(RTM_DELNEIGH, 0, &m, sizeof m);
  attr(NDA_LLADDR, "\x02\x00\x00\x00\x00\x01", 6);
  OK(ask());
  CHECK_ERR(ask(), ENOENT);
  struct ether_addr own = mac_of("br"), q = mac_of("py");
  // The listener's namespace may be gone already, and its port with it.
  CHECK(memcmp(&own, &q, 6) <= 0);
  gate_signal(looked);
  CHILD_DONE(x.pid);
  CHILD_DONE(y.pid);
}

static void far_end(void) {
  set_up("b", true);
  add_address("b", "10.7.2.2", 24);
  default_route("10.7.2.1");
  int s = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in a = in4("10.7.2.2", 7000);
  OK(bind(s, (void *)&a, sizeof a));
  char b[4000];
  struct sockaddr_in from;
  socklen_t len = sizeof from;
  int n = OK(recvfrom(s, b, sizeof b, 0, (void *)&from, &len));
  OK(sendto(s, b, n, 0, (void *)&from, len));
  int l = OK(socket(AF_INET, SOCK_STREAM, 0));
  OK(bind(l, (void *)&a, sizeof a));
  OK(listen(l, 1));
  int c = OK(accept(l, NULL, NULL));
  long total = 0;
  while ((n = OK(read(c, b, sizeof b))) > 0) total += n;
  say("%ld bytes came\n", total);
}
// This namespace is a router between two others, one of them behind a smaller MTU.
SUBTEST_FORK(forwarding) {
  fresh();
  no_dad();
  put_file("/proc/sys/net/ipv4/ip_forward", "1");
  struct other far = other_namespace(far_end);
  OK(new_veth_in("far", "b", far.pid, 1000));
  set_up("far", true);
  add_address("far", "10.7.2.1", 24);
  struct gate ready = gate_make(), go = gate_make();
  pid_t pid = SPAWN({
    OK(unshare(CLONE_NEWNET));
    no_dad();
    gate_signal(ready);
    gate_wait(go);
    set_up("b", true);
    add_address("b", "10.7.1.2", 24);
    default_route("10.7.1.1");
    settle("b", 6);
    int s = OK(socket(AF_INET, SOCK_DGRAM, 0));
    struct timeval tv = {5, 0};
    OK(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
    set_int(s, IPPROTO_IP, IP_RECVERR, 1);
    struct sockaddr_in to = in4("10.7.2.2", 7000);
    OK(connect(s, (void *)&to, sizeof to));
    char b[4000];
    // A packet whose time is over at the router.
    set_int(s, IPPROTO_IP, IP_TTL, 1);
    CHECK_EQ(send(s, "x", 1, 0), 1);
    CHECK_EQ(events_of(s, POLLERR, 5000), POLLERR);
    CHECK_ERR(recv(s, b, sizeof b, MSG_DONTWAIT), EHOSTUNREACH);
    struct msghdr mh = {.msg_control = b, .msg_controllen = sizeof b};
    OK(recvmsg(s, &mh, MSG_ERRQUEUE));
    set_int(s, IPPROTO_IP, IP_TTL, 64);
    // One that is too large for the way, and must not be split.
    set_int(s, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
    CHECK_EQ(send(s, b, 1200, 0), 1200);
    CHECK_EQ(events_of(s, POLLERR, 5000), POLLERR);
    CHECK_ERR(recv(s, b, sizeof b, MSG_DONTWAIT), EMSGSIZE);
    mh = (struct msghdr){.msg_control = b, .msg_controllen = sizeof b};
    OK(recvmsg(s, &mh, MSG_ERRQUEUE));
    say("the way takes %d\n", int_option(s, IPPROTO_IP, IP_MTU));
    set_int(s, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
    CHECK_EQ(send(s, b, 1200, 0), 1200);
    CHECK_EQ(recv(s, b, sizeof b, 0), 1200);
    send_much(connect_to("10.7.2.2", 7000), 1000000);
    // Nobody has that address; the router says so.
    int t = OK(socket(AF_INET, SOCK_STREAM, 0));
    to = in4("10.7.3.3", 1);
    CHECK_ERR(connect(t, (void *)&to, sizeof to), ENETUNREACH);
  });
  gate_wait(ready);
  OK(new_veth_in("near", "b", pid, 0));
  set_up("near", true);
  add_address("near", "10.7.1.1", 24);
  gate_signal(far.go);
  sleep_ms(200);
  gate_signal(go);
  CHILD_DONE(pid);
  CHILD_DONE(far.pid);
}

static bool heard(int fd, int type, const char *name, unsigned want, unsigned mask) {
  char b[16384];
  for (int i = 0; i < 50; i++) {
    if (events_of(fd, POLLIN, 2000) != POLLIN) return false;
    int n = OK(recv(fd, b, sizeof b, 0));
    for (struct nlmsghdr *h = (void *)b; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
      if (h->nlmsg_type != type) continue;
      struct ifinfomsg *m = NLMSG_DATA(h);
      struct rtattr *a = find_attr(IFLA_RTA(m), IFLA_PAYLOAD(h), IFLA_IFNAME);
      if (m->ifi_family == AF_UNSPEC && a && strcmp(RTA_DATA(a), name) == 0 && (m->ifi_flags & mask) == want) return true;
    }
  }
  return false;
}
SUBTEST_FORK(notifications) {
  fresh();
  no_dad();
  int fd = route_socket(RTMGRP_LINK);
  OK(new_veth("a", "b"));
  CHECK(heard(fd, RTM_NEWLINK, "b", 0, IFF_UP));
  CHECK(heard(fd, RTM_NEWLINK, "a", 0, IFF_UP));
  set_up("a", true);
  CHECK(heard(fd, RTM_NEWLINK, "a", IFF_UP, IFF_UP));
  set_up("b", true);
  CHECK(heard(fd, RTM_NEWLINK, "b", IFF_UP, IFF_UP));
  CHECK(heard(fd, RTM_NEWLINK, "a", IFF_UP | IFF_LOWER_UP, IFF_UP | IFF_LOWER_UP));
  struct other o = other_namespace(NULL);
  OK(set_number("b", IFLA_NET_NS_PID, o.pid));
  CHECK(heard(fd, RTM_DELLINK, "b", 0, 0));
  gate_signal(o.go);
  CHILD_DONE(o.pid);
  CHECK(heard(fd, RTM_DELLINK, "a", 0, 0));
}

// A namespace that nobody but a mount has.
SUBTEST_FORK(kept_by_a_mount) {
  fresh();
  if (unshare(CLONE_NEWNS) == 0) OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
  put_file("kept", "");
  int own = OK(open("/proc/self/ns/net", O_RDONLY));
  OK(unshare(CLONE_NEWNET));
  OK(new_veth("a", "b"));
  OK(mount("/proc/self/ns/net", "kept", "none", MS_BIND, NULL));
  OK(setns(own, CLONE_NEWNET));
  CHECK_EQ(find("a"), 0);
  int fd = OK(open("kept", O_RDONLY));
  OK(setns(fd, CLONE_NEWNET));
  CHECK(find("a") > 0);
  OK(close(fd));
  OK(setns(own, CLONE_NEWNET));
  OK(umount("kept"));
  CHECK_EQ(get_file("kept")[0], 0);
}

// sysfs shows the namespace in which it was mounted.
SUBTEST_FORK(in_sysfs) {
  fresh();
  if (unshare(CLONE_NEWNS) == 0) OK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
  no_dad();
  OK(new_veth("a", "b"));
  OK(new_kind("br", "bridge"));
  OK(set_number("a", IFLA_MASTER, find("br")));
  OK(mkdir("sys", 0755));
  OK(mount("none", "sys", "sysfs", 0, NULL));
  char to[256] = {0};
  OK(readlink("sys/class/net/a", to, sizeof to - 1));
  say("%s\n", to);
  static const char *const names[] = {"ifindex", "iflink", "mtu", "type", "flags", "operstate", "tx_queue_len", "addr_len", "broadcast",
                                      "statistics/rx_bytes", "carrier_changes", "uevent"};
  for (unsigned i = 0; i < COUNT(names); i++) {
    char path[128];
    snprintf(path, sizeof path, "sys/class/net/b/%s", names[i]);
    say("%s: %s", names[i], get_file(path));
  }
  int fd = OK(open("sys/class/net/b/carrier", O_RDONLY));
  CHECK_ERR(read(fd, to, 10), EINVAL);
  OK(close(fd));
  memset(to, 0, sizeof to);
  OK(readlink("sys/class/net/a/master", to, sizeof to - 1));
  say("%s\n", to);
  memset(to, 0, sizeof to);
  OK(readlink("sys/class/net/br/brif/a", to, sizeof to - 1));
  say("%s\n", to);
  OK(del("a"));
  CHECK_ERR(access("sys/class/net/b", F_OK), ENOENT);
  OK(umount("sys"));
}

// /dev/net/tun in a network namespace of its own: ioctls, modes, packet boundaries, queues, readiness, errors, and a program that speaks
// raw IP to the kernel's stack.
#include "net.h"
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <sys/epoll.h>

static int open_tun(void) { return OK(open("/dev/net/tun", O_RDWR | O_CLOEXEC)); }

static int set_iff(int fd, const char *name, int flags, struct ifreq *r) {
  memset(r, 0, sizeof *r);
  strcpy(r->ifr_name, name);
  r->ifr_flags = flags;
  return ioctl(fd, TUNSETIFF, r);
}
static int made(const char *name, int flags) {
  struct ifreq r;
  int fd = open_tun();
  OK(set_iff(fd, name, flags, &r));
  return fd;
}

static int control(void) {
  static int fd = -1;
  if (fd < 0) fd = OK(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return fd;
}
static void up(const char *name, bool on) {
  struct ifreq r = {0};
  strcpy(r.ifr_name, name);
  OK(ioctl(control(), SIOCGIFFLAGS, &r));
  r.ifr_flags = on ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP;
  OK(ioctl(control(), SIOCSIFFLAGS, &r));
}
static int flags_of(const char *name) {
  struct ifreq r = {0};
  strcpy(r.ifr_name, name);
  if (ioctl(control(), SIOCGIFFLAGS, &r) < 0) return -1;
  return (unsigned short)r.ifr_flags;
}
static void no_v6(const char *name) {
  char path[128];
  snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
  int fd = open(path, O_WRONLY);
  if (fd < 0) return;
  if (write(fd, "1", 1) < 0) errno = 0;
  close(fd);
}
static void address(const char *name, const char *text, const char *mask) {
  struct ifreq r = {0};
  strcpy(r.ifr_name, name);
  *(struct sockaddr_in *)&r.ifr_addr = in4(text, 0);
  OK(ioctl(control(), SIOCSIFADDR, &r));
  *(struct sockaddr_in *)&r.ifr_netmask = in4(mask, 0);
  OK(ioctl(control(), SIOCSIFNETMASK, &r));
}

static unsigned short sum16(const void *data, int n, unsigned start) {
  const unsigned char *p = data;
  unsigned long s = start;
  for (int i = 0; i + 1 < n; i += 2) s += p[i] << 8 | p[i + 1];
  if (n & 1) s += p[n - 1] << 8;
  while (s >> 16) s = (s & 0xffff) + (s >> 16);
  return htons(~s & 0xffff);
}
// An echo request from 10.9.0.2 to 10.9.0.1.
static int ping_packet(unsigned char *b, int data, int ttl) {
  memset(b, 0, 28 + data);
  struct iphdr *ip = (void *)b;
  struct icmphdr *ic = (void *)(b + 20);
  *ip = (struct iphdr){.version = 4, .ihl = 5, .tot_len = htons(28 + data), .ttl = ttl, .protocol = IPPROTO_ICMP};
  inet_pton(AF_INET, "10.9.0.2", &ip->saddr);
  inet_pton(AF_INET, "10.9.0.1", &ip->daddr);
  ip->check = sum16(ip, 20, 0);
  ic->type = ICMP_ECHO;
  ic->un.echo.id = htons(77);
  for (int i = 0; i < data; i++) b[28 + i] = i;
  ic->checksum = sum16(ic, 8 + data, 0);
  return 28 + data;
}
// The next IPv4 packet; others (IPv6 that the kernel sends by itself) are passed over.
static int next4(int fd, unsigned char *b, int size, int offset) {
  for (;;) {
    if (events_of(fd, POLLIN, 3000) != POLLIN) return -1;
    int n = OK(read(fd, b, size));
    if (n > offset && b[offset] >> 4 == 4) return n;
  }
}

SUBTEST_FORK(features) {
  NEED_ROOT();
  int fd = open_tun();
  unsigned f = 0;
  OK(ioctl(fd, TUNGETFEATURES, &f));
  CHECK((f & (IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE)) ==
        (IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE));
  struct ifreq r;
  char b[64];
  CHECK_ERR(ioctl(fd, TUNGETIFF, &r), EBADFD);
  CHECK_ERR(read(fd, b, sizeof b), EBADFD);
  CHECK_ERR(write(fd, b, sizeof b), EBADFD);
  CHECK_EQ(events_of(fd, POLLIN | POLLOUT, 0), POLLERR);
  CHECK_ERR(set_iff(fd, "", 0, &r), EINVAL);
  CHECK_ERR(set_iff(fd, "a/b", IFF_TUN, &r), EINVAL);
  CHECK_ERR(set_iff(fd, "lo", IFF_TUN, &r), EINVAL);
  OK(set_iff(fd, "", IFF_TUN | IFF_NO_PI, &r));
  CHECK_STR(r.ifr_name, "tun0");
  CHECK_ERR(set_iff(fd, "", IFF_TUN, &r), EEXIST);
  OK(ioctl(fd, TUNGETIFF, &r));
  say("%s has flags %x, interface %x\n", r.ifr_name, (unsigned short)r.ifr_flags, flags_of("tun0"));
  int tap = open_tun();
  OK(set_iff(tap, "tap%d", IFF_TAP, &r));
  CHECK_STR(r.ifr_name, "tap0");
  OK(ioctl(tap, TUNGETIFF, &r));
  say("%s has flags %x, interface %x\n", r.ifr_name, (unsigned short)r.ifr_flags, flags_of("tap0"));
  int other = open_tun();
  CHECK_ERR(set_iff(other, "tap0", IFF_TAP, &r), EBUSY);
  CHECK_ERR(set_iff(other, "tap0", IFF_TUN, &r), EINVAL);
  OK(close(tap));
  CHECK_EQ(flags_of("tap0"), -1);
  CHECK_EQ(errno, ENODEV);
}

SUBTEST_FORK(persist) {
  NEED_ROOT();
  int fd = made("keep", IFF_TUN | IFF_NO_PI);
  OK(ioctl(fd, TUNSETOWNER, 1000));
  OK(ioctl(fd, TUNSETGROUP, 1000));
  OK(ioctl(fd, TUNSETPERSIST, 1));
  up("keep", true);
  say("flags %x\n", flags_of("keep"));
  OK(close(fd));
  // Without a carrier, which the kernel may notice a little later.
  say("flags %x\n", flags_of("keep") & ~IFF_RUNNING);
  CHILD {
    OK(setgid(1000));
    OK(setuid(1000));
    struct ifreq r;
    int mine = open("/dev/net/tun", O_RDWR);
    if (mine < 0) _exit(errno == EACCES ? 0 : 1);
    CHECK_ERR(set_iff(mine, "mine", IFF_TUN | IFF_NO_PI, &r), EPERM);
    OK(set_iff(mine, "keep", IFF_TUN | IFF_NO_PI, &r));
    OK(ioctl(mine, TUNGETIFF, &r));
    CHECK_EQ((unsigned short)r.ifr_flags, IFF_TUN | IFF_NO_PI | IFF_PERSIST);
  }
  CHILD {
    OK(setgid(1001));
    OK(setuid(1001));
    struct ifreq r;
    int mine = open("/dev/net/tun", O_RDWR);
    if (mine < 0) _exit(errno == EACCES ? 0 : 1);
    CHECK_ERR(set_iff(mine, "keep", IFF_TUN | IFF_NO_PI, &r), EPERM);
  }
  fd = made("keep", IFF_TUN | IFF_NO_PI);
  OK(ioctl(fd, TUNSETPERSIST, 0));
  OK(close(fd));
  CHECK_EQ(flags_of("keep"), -1);
}

SUBTEST_FORK(numbers) {
  NEED_ROOT();
  int fd = made("n", IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
  int v = 0;
  OK(ioctl(fd, TUNGETVNETHDRSZ, &v));
  CHECK_EQ(v, 10);
  v = 9;
  CHECK_ERR(ioctl(fd, TUNSETVNETHDRSZ, &v), EINVAL);
  v = 12;
  OK(ioctl(fd, TUNSETVNETHDRSZ, &v));
  OK(ioctl(fd, TUNGETVNETHDRSZ, &v));
  CHECK_EQ(v, 12);
  OK(ioctl(fd, TUNGETSNDBUF, &v));
  CHECK_EQ(v, INT_MAX);
  v = 0;
  CHECK_ERR(ioctl(fd, TUNSETSNDBUF, &v), EINVAL);
  OK(ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6));
  CHECK_ERR(ioctl(fd, TUNSETOFFLOAD, TUN_F_TSO4), EINVAL);
  CHECK_ERR(ioctl(fd, TUNSETOFFLOAD, 0x10000), EINVAL);
  struct ifreq r = {0};
  OK(ioctl(fd, SIOCGIFHWADDR, &r));
  CHECK_EQ(r.ifr_hwaddr.sa_family, 1);
  memcpy(r.ifr_hwaddr.sa_data, "\x02\x11\x22\x33\x44\x55", 6);
  OK(ioctl(fd, SIOCSIFHWADDR, &r));
  struct ifreq s = {.ifr_name = "n"};
  OK(ioctl(control(), SIOCGIFHWADDR, &s));
  CHECK(memcmp(s.ifr_hwaddr.sa_data, "\x02\x11\x22\x33\x44\x55", 6) == 0);
  CHECK_ERR(ioctl(fd, 0x5401, &v), EINVAL);
}

SUBTEST_FORK(echo) {
  NEED_ROOT();
  int fd = made("t", IFF_TUN | IFF_NO_PI);
  unsigned char b[2000], p[2000];
  CHECK_EQ(events_of(fd, POLLIN | POLLOUT, 0), 0);
  int n = ping_packet(p, 56, 64);
  CHECK_ERR(write(fd, p, n), EIO);
  no_v6("t");
  address("t", "10.9.0.1", "255.255.255.0");
  up("t", true);
  CHECK_EQ(events_of(fd, POLLOUT, 0), POLLOUT);
  CHECK_EQ(write(fd, p, n), n);
  int m = next4(fd, b, sizeof b, 0);
  CHECK_EQ(m, n);
  struct iphdr *ip = (void *)b;
  struct icmphdr *ic = (void *)(b + 20);
  CHECK_EQ(ip->saddr, ((struct iphdr *)p)->daddr);
  CHECK_EQ(ic->type, ICMP_ECHOREPLY);
  CHECK_EQ(sum16(b, 20, 0), 0);
  CHECK_EQ(sum16(b + 20, m - 20, 0), 0);
  CHECK(memcmp(b + 28, p + 28, 56) == 0);
  // A packet that is cut off, and what is none.
  CHECK_EQ(write(fd, p, n), n);
  OK(events_of(fd, POLLIN, 3000));
  CHECK_EQ(read(fd, b, 10), 10);
  CHECK_EQ(write(fd, p, n), n);
  CHECK_EQ(next4(fd, b, sizeof b, 0), n);
  CHECK_ERR(write(fd, "\x70zzz", 4), EINVAL);
  CHECK_ERR(write(fd, p, 0), EINVAL);
  // One packet a read.
  for (int i = 1; i <= 3; i++) CHECK_EQ(write(fd, p, ping_packet(p, i, 64)), 28 + i);
  for (int i = 1; i <= 3; i++) CHECK_EQ(next4(fd, b, sizeof b, 0), 28 + i);
  OK(fcntl(fd, F_SETFL, O_NONBLOCK));
  CHECK_ERR(read(fd, b, sizeof b), EAGAIN);
}

SUBTEST_FORK(information) {
  NEED_ROOT();
  int fd = made("t", IFF_TUN);
  no_v6("t");
  address("t", "10.9.0.1", "255.255.255.0");
  up("t", true);
  unsigned char b[2000], p[2000] = {0, 0, 8, 0};
  int n = 4 + ping_packet(p + 4, 8, 64);
  CHECK_EQ(write(fd, p, n), n);
  int m = next4(fd, b, sizeof b, 4);
  CHECK_EQ(m, n);
  say("flags %02x%02x, protocol %02x%02x\n", b[0], b[1], b[2], b[3]);
  CHECK_EQ(write(fd, p, n), n);
  OK(events_of(fd, POLLIN, 3000));
  CHECK_EQ(read(fd, b, 20), 20);
  say("flags %02x%02x, protocol %02x%02x\n", b[0], b[1], b[2], b[3]);
  CHECK_ERR(write(fd, p, 3), EINVAL);
  CHECK_EQ(write(fd, p, n), n);
  OK(events_of(fd, POLLIN, 3000));
  CHECK_ERR(read(fd, b, 3), EINVAL);
}

// A UDP conversation in which this program is the other host.
SUBTEST_FORK(datagrams) {
  NEED_ROOT();
  int fd = made("t", IFF_TUN | IFF_NO_PI);
  no_v6("t");
  address("t", "10.9.0.1", "255.255.255.0");
  up("t", true);
  int s = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in to = in4("10.9.0.2", 5000), from;
  CHECK_EQ(sendto(s, "hello", 5, 0, (void *)&to, sizeof to), 5);
  unsigned char b[2000];
  CHECK_EQ(next4(fd, b, sizeof b, 0), 33);
  struct iphdr *ip = (void *)b;
  struct udphdr *u = (void *)(b + 20);
  CHECK_EQ(ip->protocol, IPPROTO_UDP);
  CHECK(memcmp(b + 28, "hello", 5) == 0);
  unsigned pseudo = IPPROTO_UDP + 13;
  for (int i = 12; i < 20; i += 2) pseudo += b[i] << 8 | b[i + 1];
  CHECK_EQ(sum16(b + 20, 13, pseudo), 0);
  unsigned a = ip->saddr;
  ip->saddr = ip->daddr;
  ip->daddr = a;
  int port = u->source;
  u->source = u->dest;
  u->dest = port;
  memcpy(b + 28, "HELLO", 5);
  u->check = 0;
  CHECK_EQ(write(fd, b, 33), 33);
  char text[16];
  socklen_t len = sizeof from;
  CHECK_EQ(recvfrom(s, text, sizeof text, 0, (void *)&from, &len), 5);
  CHECK(memcmp(text, "HELLO", 5) == 0);
  CHECK_EQ(ntohs(from.sin_port), 5000);
  // Somebody else's packet gets an answer only from a router: this is none.
  int n = ping_packet(b, 4, 64);
  inet_pton(AF_INET, "10.10.0.1", &ip->daddr);
  ip->check = 0;
  ip->check = sum16(ip, 20, 0);
  CHECK_EQ(write(fd, b, n), n);
  CHECK_EQ(events_of(fd, POLLIN, 200), 0);
}

SUBTEST_FORK(waiting) {
  NEED_ROOT();
  int fd = made("t", IFF_TUN | IFF_NO_PI);
  no_v6("t");
  address("t", "10.9.0.1", "255.255.255.0");
  up("t", true);
  pid_t pid = SPAWN({
    sleep_ms(100);
    int s = OK(socket(AF_INET, SOCK_DGRAM, 0));
    struct sockaddr_in to = in4("10.9.0.2", 5000);
    for (int i = 0; i < 2; i++) {
      CHECK_EQ(sendto(s, "x", 1, 0, (void *)&to, sizeof to), 1);
      sleep_ms(100);
    }
  });
  unsigned char b[2000];
  CHECK_EQ(read(fd, b, sizeof b), 29);
  int ep = OK(epoll_create1(0));
  struct epoll_event e = {.events = EPOLLIN | EPOLLET};
  OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
  CHECK_EQ(epoll_wait(ep, &e, 1, 3000), 1);
  CHECK_EQ(read(fd, b, sizeof b), 29);
  CHILD_DONE(pid);
  up("t", false);
  CHECK_EQ(events_of(fd, POLLIN | POLLOUT, 0), 0);
}

// As many packets as the queue has places; others are dropped and counted.
SUBTEST_FORK(full) {
  NEED_ROOT();
  int fd = made("t", IFF_TUN | IFF_NO_PI);
  no_v6("t");
  address("t", "10.9.0.1", "255.255.255.0");
  up("t", true);
  int s = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in to = in4("10.9.0.2", 5000);
  OK(fcntl(fd, F_SETFL, O_NONBLOCK));
  for (int i = 0; i < 700; i++) CHECK_EQ(sendto(s, "x", 1, 0, (void *)&to, sizeof to), 1);
  unsigned char b[2000];
  int got = 0;
  while (read(fd, b, sizeof b) == 29) got++;
  say("%d packets were kept\n", got);
  char *text = get_file("/proc/net/dev"), *row = strstr(text, " t:");
  long drops = -1;
  CHECK(row && sscanf(row, " t: %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %ld", &drops) == 1);
  say("%ld were dropped\n", drops);
}

SUBTEST_FORK(queues) {
  NEED_ROOT();
  struct ifreq r;
  int a = made("m", IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE);
  int b = open_tun();
  CHECK_ERR(set_iff(b, "m", IFF_TUN | IFF_NO_PI, &r), EINVAL);
  OK(set_iff(b, "m", IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE, &r));
  no_v6("m");
  address("m", "10.9.0.1", "255.255.255.0");
  up("m", true);
  OK(fcntl(a, F_SETFL, O_NONBLOCK));
  OK(fcntl(b, F_SETFL, O_NONBLOCK));
  int s = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in to = in4("10.9.0.2", 5000);
  unsigned char buf[2000];
  r.ifr_flags = IFF_DETACH_QUEUE;
  OK(ioctl(b, TUNSETQUEUE, &r));
  CHECK_ERR(ioctl(b, TUNSETQUEUE, &r), EINVAL);
  CHECK_ERR(read(b, buf, sizeof buf), EAGAIN);
  for (int i = 0; i < 20; i++) CHECK_EQ(sendto(s, "x", 1, 0, (void *)&to, sizeof to), 1);
  int got = 0;
  while (read(a, buf, sizeof buf) == 29) got++;
  CHECK_EQ(got, 20);
  r.ifr_flags = IFF_ATTACH_QUEUE;
  OK(ioctl(b, TUNSETQUEUE, &r));
  CHECK_ERR(ioctl(b, TUNSETQUEUE, &r), EINVAL);
  // Many flows: each in one queue, and both have some.
  int in_a = 0, in_b = 0;
  for (int i = 0; i < 64; i++) {
    to.sin_port = htons(6000 + i);
    CHECK_EQ(sendto(s, "x", 1, 0, (void *)&to, sizeof to), 1);
  }
  while (read(a, buf, sizeof buf) == 29) in_a++;
  while (read(b, buf, sizeof buf) == 29) in_b++;
  CHECK_EQ(in_a + in_b, 64);
  CHECK(in_a > 0 && in_b > 0);
  OK(close(a));
  CHECK(flags_of("m") > 0);
  OK(close(b));
  CHECK_EQ(flags_of("m"), -1);
}

// Ethernet: the kernel asks who has the address, and this program says that it does.
SUBTEST_FORK(frames) {
  NEED_ROOT();
  int fd = made("e", IFF_TAP | IFF_NO_PI);
  no_v6("e");
  address("e", "10.9.0.1", "255.255.255.0");
  up("e", true);
  int s = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in to = in4("10.9.0.2", 5000);
  CHECK_EQ(sendto(s, "hello", 5, 0, (void *)&to, sizeof to), 5);
  unsigned char b[2000];
  int n;
  do {
    if (events_of(fd, POLLIN, 3000) != POLLIN) FAIL("nothing came");
    n = OK(read(fd, b, sizeof b));
  } while (b[12] != 8 || b[13] != 6);
  CHECK_EQ(n, 42);
  CHECK(memcmp(b, "\xff\xff\xff\xff\xff\xff", 6) == 0);
  unsigned char mac[6] = {2, 9, 9, 9, 9, 9}, answer[42];
  memcpy(answer, b, 42);
  memcpy(answer, b + 6, 6);
  memcpy(answer + 6, mac, 6);
  answer[21] = 2;
  memcpy(answer + 22, mac, 6);
  memcpy(answer + 28, b + 38, 4);
  memcpy(answer + 32, b + 22, 10);
  CHECK_EQ(write(fd, answer, 42), 42);
  do {
    if (events_of(fd, POLLIN, 3000) != POLLIN) FAIL("nothing came");
    n = OK(read(fd, b, sizeof b));
  } while (b[12] != 8 || b[13] != 0);
  CHECK_EQ(n, 14 + 33);
  CHECK(memcmp(b, mac, 6) == 0);
  CHECK(memcmp(b + 42, "hello", 5) == 0);
  CHECK_ERR(write(fd, b, 13), EINVAL);
}

// Large packets, with the header that says where checksum and segments are.
SUBTEST_FORK(large) {
  NEED_ROOT();
  int fd = made("v", IFF_TUN | IFF_NO_PI | IFF_VNET_HDR);
  OK(ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM));
  no_v6("v");
  address("v", "10.9.0.1", "255.255.255.0");
  up("v", true);
  int s = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in to = in4("10.9.0.2", 5000);
  CHECK_EQ(sendto(s, "hello", 5, 0, (void *)&to, sizeof to), 5);
  unsigned char b[2000];
  CHECK_EQ(next4(fd, b, sizeof b, 10), 43);
  struct virtio_net_hdr *h = (void *)b;
  say("flags %d, type %d, sum from %d at %d\n", h->flags, h->gso_type, h->csum_start, h->csum_offset);
  // A checksum that the kernel is to finish: the packet is for a socket of its own.
  struct sockaddr_in me = in4("10.9.0.1", 7000);
  OK(bind(s, (void *)&me, sizeof me) == -1 ? close(s) : 0);
  s = OK(socket(AF_INET, SOCK_DGRAM, 0));
  OK(bind(s, (void *)&me, sizeof me));
  memset(b, 0, sizeof b);
  struct iphdr *ip = (void *)(b + 10);
  struct udphdr *u = (void *)(b + 30);
  *ip = (struct iphdr){.version = 4, .ihl = 5, .tot_len = htons(33), .ttl = 64, .protocol = IPPROTO_UDP};
  inet_pton(AF_INET, "10.9.0.2", &ip->saddr);
  inet_pton(AF_INET, "10.9.0.1", &ip->daddr);
  ip->check = sum16(ip, 20, 0);
  u->source = htons(5000);
  u->dest = htons(7000);
  u->len = htons(13);
  memcpy(b + 38, "HELLO", 5);
  h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
  h->csum_start = 20;
  h->csum_offset = 6;
  CHECK_EQ(write(fd, b, 43), 43);
  char text[16];
  CHECK_EQ(recv(s, text, sizeof text, 0), 5);
  CHECK(memcmp(text, "HELLO", 5) == 0);
  h->flags = 0;
  h->gso_type = 77;
  h->gso_size = 100;
  CHECK_ERR(write(fd, b, 43), EINVAL);
  CHECK_ERR(write(fd, b, 9), EINVAL);
}

SUBTEST_FORK(gone) {
  NEED_ROOT();
  int fd = made("t", IFF_TUN | IFF_NO_PI);
  up("t", true);
  struct {
    char head[32];
  } rq = {{32, 0, 0, 0, 17, 0, 5, 0}};
  struct ifreq r = {.ifr_name = "t"};
  OK(ioctl(control(), SIOCGIFINDEX, &r));
  memcpy(rq.head + 20, &r.ifr_ifindex, 4);
  int nl = OK(socket(AF_NETLINK, SOCK_RAW, 0));
  OK(send(nl, &rq, 32, 0));
  char answer[256];
  OK(recv(nl, answer, sizeof answer, 0));
  CHECK_EQ(*(int *)(answer + 16), 0);
  CHECK_EQ(events_of(fd, POLLIN | POLLOUT, 0), POLLERR);
  CHECK_ERR(read(fd, answer, sizeof answer), EBADFD);
  OK(set_iff(fd, "again", IFF_TUN, &r));
}

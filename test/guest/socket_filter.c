// SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_LOCK_FILTER (socket(7)): what each family's programs see, what they let through, errors.
#include "net.h"
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/ip_icmp.h>
#include <sys/un.h>

static int attach(int fd, struct sock_filter *code, int n) {
  struct sock_fprog p = {n, code};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p);
}
#define ATTACH(fd, ...)                                  \
  ({                                                     \
    struct sock_filter code_[] = {__VA_ARGS__};          \
    attach(fd, code_, COUNT(code_));                     \
  })
#define ALL BPF_STMT(BPF_RET | BPF_K, 0xffffffff)
#define NONE BPF_STMT(BPF_RET | BPF_K, 0)

static void show(const char *what, int fd) {
  char buf[256];
  int n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
  if (n < 0) say("%s: %s\n", what, strerrorname_np(errno));
  else say("%s: %d bytes, %.*s\n", what, n, n > 20 ? 20 : n, buf);
}

SUBTEST_FORK(errors) {
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0)), zero = 0, one = 1;
  struct sock_filter all[] = {ALL};
  struct sock_fprog p = {1, all};
  CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p - 1), EINVAL);
  CHECK_ERR(attach(fd, all, 0), EINVAL);
  CHECK_ERR(attach(fd, NULL, 1), EINVAL);
  CHECK_ERR(attach(fd, (void *)8, 1), EFAULT);
  CHECK_ERR(ATTACH(fd, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)), EINVAL);                       // no end
  CHECK_ERR(ATTACH(fd, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 1, 0), ALL), EINVAL);           // a jump outside
  CHECK_ERR(ATTACH(fd, BPF_STMT(BPF_LD | BPF_MEM, 3), ALL), EINVAL);                          // never stored
  CHECK_ERR(ATTACH(fd, BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 0), ALL), EINVAL);
  CHECK_ERR(ATTACH(fd, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + 7), ALL), EINVAL);     // no such word
  CHECK_ERR(ATTACH(fd, BPF_STMT(0x1ff, 0), ALL), EINVAL);
  CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &zero, sizeof zero), ENOENT);
  OK(attach(fd, all, 1));
  OK(attach(fd, all, 1));
  OK(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &zero, sizeof zero));
  CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &zero, sizeof zero), ENOENT);
  CHECK_EQ(int_option(fd, SOL_SOCKET, SO_LOCK_FILTER), 0);
  OK(attach(fd, all, 1));
  OK(setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof one));
  CHECK_EQ(int_option(fd, SOL_SOCKET, SO_LOCK_FILTER), 1);
  CHECK_ERR(attach(fd, all, 1), EPERM);
  CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &zero, sizeof zero), EPERM);
  CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &zero, sizeof zero), EPERM);
  int other = OK(socket(AF_INET, SOCK_DGRAM, 0)), minus = -1;
  CHECK_ERR(setsockopt(other, SOL_SOCKET, SO_ATTACH_BPF, &minus, 2), EINVAL);
  CHECK_ERR(setsockopt(other, SOL_SOCKET, SO_ATTACH_BPF, &minus, sizeof minus), EBADF);
  CHECK_ERR(setsockopt(other, SOL_SOCKET, SO_ATTACH_BPF, &zero, sizeof zero), EINVAL);
}

SUBTEST_FORK(udp) {
  int s[2];
  udp_pair(s);
  // Offset 0 is the UDP header: the payload's first byte is an 'a', or the datagram is gone.
  OK(ATTACH(s[1], BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 8), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'a', 0, 1), ALL, NONE));
  OK(send(s[0], "abc", 3, 0));
  OK(send(s[0], "bcd", 3, 0));
  OK(send(s[0], "aa", 2, 0));
  OK(send(s[0], "", 0, 0));  // no byte there: gone
  show("first", s[1]);
  show("second", s[1]);
  show("third", s[1]);
  // Cut: the header always stays.
  OK(ATTACH(s[1], BPF_STMT(BPF_RET | BPF_K, 10)));
  OK(send(s[0], "abcdef", 6, 0));
  show("cut", s[1]);
  OK(ATTACH(s[1], BPF_STMT(BPF_RET | BPF_K, 1)));
  OK(send(s[0], "abcdef", 6, 0));
  show("cut to nothing", s[1]);
  // The length of UDP, the protocol of the IPv4 header before it, ancillary data: each in the verdict.
  OK(ATTACH(s[1], BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 12, 0, 5),
            BPF_STMT(BPF_LD | BPF_B | BPF_ABS, SKF_NET_OFF + 9), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 3),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PROTOCOL),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 1), ALL, NONE));
  OK(send(s[0], "four", 4, 0));
  OK(send(s[0], "fives", 5, 0));
  show("of four", s[1]);
  show("of five", s[1]);
  // Arithmetic, scratch memory, MSH, indirect loads: the IPv4 header is MSH long, and SKF_NET_OFF + X + 8 is the payload.
  OK(ATTACH(s[1], BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, SKF_NET_OFF), BPF_STMT(BPF_STX, 4), BPF_STMT(BPF_LD | BPF_MEM, 4),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 20, 0, 6), BPF_STMT(BPF_LDX | BPF_IMM, 3), BPF_STMT(BPF_ALU | BPF_MOD | BPF_X, 0),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 3), BPF_STMT(BPF_LD | BPF_H | BPF_IND, 5),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ('x' << 8) | 'y', 0, 1), ALL, NONE));
  OK(send(s[0], "xyz", 3, 0));
  OK(send(s[0], "yxz", 3, 0));
  show("computed", s[1]);
  show("none", s[1]);
  // Division by a zero in X ends the program.
  OK(ATTACH(s[1], BPF_STMT(BPF_LDX | BPF_IMM, 0), BPF_STMT(BPF_LD | BPF_IMM, 5), BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), ALL));
  OK(send(s[0], "gone", 4, 0));
  show("divided", s[1]);
}

SUBTEST_FORK(udp6) {
  int s[2] = {bound6(SOCK_DGRAM, "::1"), bound6(SOCK_DGRAM, "::1")};
  struct sockaddr_in6 to = in6("::1", port_of(s[1]));
  OK(ATTACH(s[1], BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PROTOCOL),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 3), BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 8),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ('o' << 8) | 'k', 0, 1), ALL, NONE));
  OK(sendto(s[0], "no", 2, 0, (void *)&to, sizeof to));
  OK(sendto(s[0], "ok", 2, 0, (void *)&to, sizeof to));
  show("one", s[1]);
  show("other", s[1]);
}

SUBTEST_FORK(tcp) {
  // A listener that hears nobody; and one whose connections lose what begins with an x, for ever.
  int l = bound4(SOCK_STREAM), c = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  OK(ATTACH(l, NONE));
  CHECK_ERR(connect4(c, port_of(l)), EINPROGRESS);
  say("connected: %#x\n", events_of(c, POLLOUT, 100));
  close(c);
  OK(ATTACH(l, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 12), BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 2), BPF_STMT(BPF_MISC | BPF_TAX, 0),
            BPF_STMT(BPF_LD | BPF_LEN, 0), BPF_JUMP(BPF_JMP | BPF_JGT | BPF_X, 0, 0, 2), BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'x', 1, 0), ALL, NONE));
  c = OK(socket(AF_INET, SOCK_STREAM, 0));
  OK(connect4(c, port_of(l)));
  int s = OK(accept(l, NULL, NULL)), zero = 0;
  OK(send(c, "abc", 3, 0));
  CHECK_EQ(events_of(s, POLLIN, 1000), POLLIN);
  show("first", s);
  OK(send(c, "xyz", 3, 0));
  CHECK_EQ(events_of(s, POLLIN, 50), 0);
  show("lost", s);
  // Sent again once nobody throws it away any more.
  OK(setsockopt(s, SOL_SOCKET, SO_DETACH_FILTER, &zero, sizeof zero));
  CHECK_EQ(events_of(s, POLLIN, 5000), POLLIN);
  show("again", s);
}

SUBTEST_FORK(raw) {
  int raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
  if (raw < 0) SKIP("no raw sockets");
  int s[2];
  udp_pair(s);
  // Offset 0 is the IPv4 header.
  OK(ATTACH(raw, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 28), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'a', 0, 1),
            BPF_STMT(BPF_RET | BPF_K, 28), NONE));
  OK(send(s[0], "bcd", 3, 0));
  OK(send(s[0], "abc", 3, 0));
  char buf[64];
  say("raw: %d\n", (int)OK(recv(raw, buf, sizeof buf, 0)));
  CHECK_ERR(recv(raw, buf, sizeof buf, MSG_DONTWAIT), EAGAIN);
}

SUBTEST_FORK(packets) {
  int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), cooked = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));
  if (fd < 0) SKIP("no packet sockets");
  // What comes in of UDP, 50 bytes of it.
  OK(ATTACH(fd, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 6, 0), BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 4), BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 2),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_IFINDEX), BPF_STMT(BPF_RET | BPF_K, 50), NONE));
  // Offset 0 is the IPv4 header here, and the Ethernet header lies before it.
  OK(ATTACH(cooked, BPF_STMT(BPF_LD | BPF_H | BPF_ABS, SKF_LL_OFF + 12), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 3),
            BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, 20), NONE));
  int s[2];
  udp_pair(s);
  char long_one[100] = {0}, buf[256];
  OK(send(s[0], long_one, sizeof long_one, 0));
  OK(send(s[0], "", 0, 0));
  say("%d\n", (int)OK(recv(fd, buf, sizeof buf, 0)));
  say("%d\n", (int)OK(recv(fd, buf, sizeof buf, 0)));
  CHECK_ERR(recv(fd, buf, sizeof buf, MSG_DONTWAIT), EAGAIN);
  say("%d\n", (int)OK(recv(cooked, buf, sizeof buf, MSG_DONTWAIT)));
  say("%d\n", (int)OK(recv(cooked, buf, sizeof buf, MSG_DONTWAIT)));
  struct tpacket_stats stats;
  socklen_t len = sizeof stats;
  OK(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len));
  say("%u seen, %u dropped\n", stats.tp_packets, stats.tp_drops);
}

SUBTEST_FORK(local) {
  int s[2];
  OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
  OK(ATTACH(s[1], BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'a', 0, 1),
            BPF_STMT(BPF_RET | BPF_K, 2), NONE));
  CHECK_EQ(OK(send(s[0], "abc", 3, 0)), 3);
  CHECK_EQ(OK(send(s[0], "bcd", 3, 0)), 3);
  show("unix", s[1]);
  show("unix", s[1]);
}

SUBTEST_FORK(netlink) {
  int fd = OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
  // Messages of type RTM_NEWLINK alone (in the machine's order, which loads are not).
  OK(ATTACH(fd, BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RTM_NEWLINK << 8, 0, 1), ALL, NONE));
  struct {
    struct nlmsghdr h;
    struct rtgenmsg g;
  } q = {{NLMSG_LENGTH(sizeof(struct rtgenmsg)), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0}, {AF_UNSPEC}};
  OK(send(fd, &q, q.h.nlmsg_len, 0));
  struct nlmsghdr buf[512];
  CHECK(OK(recv(fd, buf, sizeof buf, 0)) > 100);
  CHECK_EQ(buf[0].nlmsg_type, RTM_NEWLINK);
  q.h.nlmsg_type = RTM_GETADDR;
  q.h.nlmsg_seq = 2;
  for (int i = 0; i < 4; i++) recv(fd, buf, sizeof buf, MSG_DONTWAIT);
  OK(send(fd, &q, q.h.nlmsg_len, 0));
  int n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
  say("addresses: %s\n", n < 0 ? strerrorname_np(errno) : "some");
}

// sock_diag(7) of one socket by its names: what ss(8) and its like ask, and errors.
#include "net.h"
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/un.h>

struct answer {
  struct nlmsghdr h;
  union {
    struct inet_diag_msg m;
    struct nlmsgerr e;
    struct unix_diag_msg u;
  };
  char rest[1024];
};
static struct answer r;

static int ask(void *request, int size, int type, int flags) {
  struct {
    struct nlmsghdr h;
    char body[128];
  } q = {{NLMSG_LENGTH(size), type, NLM_F_REQUEST | flags, 7, 0}, {0}};
  memcpy(q.body, request, size);
  int fd = OK(socket(AF_NETLINK, SOCK_DGRAM, NETLINK_SOCK_DIAG));
  OK(send(fd, &q, q.h.nlmsg_len, 0));
  memset(&r, 0, sizeof r);
  OK(recv(fd, &r, sizeof r, 0));
  close(fd);
  return r.h.nlmsg_type == NLMSG_ERROR ? r.e.error : 0;
}

// Names of attributes that came, with their sizes but for those that grow with the kernel.
static void attributes(void) {
  int left = r.h.nlmsg_len - NLMSG_LENGTH(sizeof r.m);
  bool seen[64] = {false};
  for (struct rtattr *a = (void *)(&r.m + 1); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
    if (a->rta_type < 64) seen[a->rta_type] = true;
    if (a->rta_type == INET_DIAG_CONG) say("congestion control %s\n", strlen(RTA_DATA(a)) > 2 ? "named" : "none");
    if (a->rta_type == INET_DIAG_TOS) say("tos %d\n", *(unsigned char *)RTA_DATA(a));
    if (a->rta_type == INET_DIAG_MEMINFO) say("meminfo of %d\n", (int)RTA_PAYLOAD(a));
    if (a->rta_type == INET_DIAG_SKMEMINFO) say("skmeminfo of %d, rcvbuf %u\n", (int)RTA_PAYLOAD(a), ((unsigned *)RTA_DATA(a))[1] > 0);
    if (a->rta_type == INET_DIAG_INFO) say("state in tcp_info %d\n", *(unsigned char *)RTA_DATA(a));
  }
  for (int i = 1; i <= INET_DIAG_SKMEMINFO; i++) say("%d", seen[i]);
  say("\n");
}

static struct inet_diag_req_v2 of(int fd, int protocol, bool reversed) {
  struct sockaddr_in a, b = {0};
  socklen_t len = sizeof a;
  OK(getsockname(fd, (void *)&a, &len));
  len = sizeof b;
  getpeername(fd, (void *)&b, &len);
  struct inet_diag_req_v2 q = {.sdiag_family = AF_INET, .sdiag_protocol = protocol, .idiag_states = -1};
  struct sockaddr_in *own = reversed ? &b : &a, *other = reversed ? &a : &b;
  q.id.idiag_sport = own->sin_port;
  q.id.idiag_dport = other->sin_port;
  q.id.idiag_src[0] = own->sin_addr.s_addr;
  q.id.idiag_dst[0] = other->sin_addr.s_addr;
  q.id.idiag_cookie[0] = q.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  return q;
}

SUBTEST_FORK(tcp) {
  int s[2], l = bound4(SOCK_STREAM);
  tcp_pair(s);
  set_int(s[0], IPPROTO_IP, IP_TOS, 0x20);
  struct inet_diag_req_v2 q = of(s[0], IPPROTO_TCP, false);
  q.idiag_ext = (1 << (INET_DIAG_MEMINFO - 1)) | (1 << (INET_DIAG_INFO - 1)) | (1 << (INET_DIAG_CONG - 1)) |
                (1 << (INET_DIAG_TOS - 1)) | (1 << (INET_DIAG_SKMEMINFO - 1));
  int e = ask(&q, sizeof q, SOCK_DIAG_BY_FAMILY, 0);
  if (e == -EOPNOTSUPP || e == -ENOENT) SKIP("no sock_diag of TCP");
  CHECK_EQ(e, 0);
  say("type %d, flags %#x, seq %d\n", r.h.nlmsg_type, r.h.nlmsg_flags, r.h.nlmsg_seq);
  say("family %d state %d\n", r.m.idiag_family, r.m.idiag_state);
  CHECK_EQ(r.m.id.idiag_sport, q.id.idiag_sport);
  CHECK_EQ(r.m.id.idiag_dport, q.id.idiag_dport);
  CHECK_EQ(r.m.id.idiag_dst[0], q.id.idiag_dst[0]);
  attributes();
  // The cookie is the socket's: SO_COOKIE. With another one, nobody is found.
  unsigned long long cookie;
  socklen_t len = sizeof cookie;
  OK(getsockopt(s[0], SOL_SOCKET, SO_COOKIE, &cookie, &len));
  CHECK_EQ(r.m.id.idiag_cookie[0] | (unsigned long long)r.m.id.idiag_cookie[1] << 32, cookie);
  q.id.idiag_cookie[0] = cookie;
  q.id.idiag_cookie[1] = cookie >> 32;
  CHECK_EQ(ask(&q, sizeof q, SOCK_DIAG_BY_FAMILY, 0), 0);
  q.id.idiag_cookie[0]++;
  CHECK_EQ(ask(&q, sizeof q, SOCK_DIAG_BY_FAMILY, 0), -ENOENT);
  // A listener, without extensions; and a port that nobody has.
  q = of(l, IPPROTO_TCP, false);
  CHECK_EQ(ask(&q, sizeof q, SOCK_DIAG_BY_FAMILY, 0), 0);
  say("listener: state %d\n", r.m.idiag_state);
  attributes();
  q.id.idiag_sport = htons(9);
  CHECK_EQ(ask(&q, sizeof q, SOCK_DIAG_BY_FAMILY, 0), -ENOENT);
  CHECK_EQ(ask(&q, 20, SOCK_DIAG_BY_FAMILY, 0), -EINVAL);
  q.sdiag_family = 77;
  CHECK_EQ(ask(&q, sizeof q, SOCK_DIAG_BY_FAMILY, 0), -EINVAL);
}

SUBTEST_FORK(udp) {
  int s[2];
  udp_pair(s);
  struct inet_diag_req_v2 q = of(s[0], IPPROTO_UDP, true);
  q.idiag_ext = 1 << (INET_DIAG_SKMEMINFO - 1);
  int e = ask(&q, sizeof q, SOCK_DIAG_BY_FAMILY, 0);
  if (e == -EOPNOTSUPP || e == -ENOENT) SKIP("no sock_diag of UDP");
  CHECK_EQ(e, 0);
  say("state %d\n", r.m.idiag_state);
  attributes();
  q.id.idiag_cookie[0] = 0x12345;
  q.id.idiag_cookie[1] = 0;
  CHECK_EQ(ask(&q, sizeof q, SOCK_DIAG_BY_FAMILY, 0), -ESTALE);
}

SUBTEST_FORK(local) {
  int s[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  struct stat st;
  OK(fstat(s[0], &st));
  struct unix_diag_req q = {.sdiag_family = AF_UNIX, .udiag_states = -1, .udiag_ino = st.st_ino, .udiag_show = UDIAG_SHOW_PEER};
  q.udiag_cookie[0] = q.udiag_cookie[1] = INET_DIAG_NOCOOKIE;
  int e = ask(&q, sizeof q, SOCK_DIAG_BY_FAMILY, 0);
  if (e == -EOPNOTSUPP) SKIP("no sock_diag of AF_UNIX");
  CHECK_EQ(e, 0);
  CHECK_EQ(r.u.udiag_ino, st.st_ino);
  say("type %d state %d\n", r.u.udiag_type, r.u.udiag_state);
  q.udiag_ino = 0;
  CHECK_EQ(ask(&q, sizeof q, SOCK_DIAG_BY_FAMILY, 0), -EINVAL);
  q.udiag_ino = 0x7ffffff0;
  CHECK_EQ(ask(&q, sizeof q, SOCK_DIAG_BY_FAMILY, 0), -ENOENT);
}

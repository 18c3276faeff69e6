// netdevice(7), network_namespaces(7), proc_net(5).
#include "net.h"
#include <net/if_arp.h>

SUBTEST_FORK(loopback) {
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct ifreq r = {.ifr_name = "lo"};
  OK(ioctl(fd, SIOCGIFINDEX, &r));
  CHECK_EQ(r.ifr_ifindex, 1);
  OK(ioctl(fd, SIOCGIFFLAGS, &r));
  CHECK_EQ(r.ifr_flags & (IFF_UP | IFF_LOOPBACK | IFF_RUNNING | IFF_BROADCAST), IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
  OK(ioctl(fd, SIOCGIFMTU, &r));
  CHECK_EQ(r.ifr_mtu, 65536);
  OK(ioctl(fd, SIOCGIFADDR, &r));
  struct sockaddr_in *a = (void *)&r.ifr_addr;
  CHECK_EQ(a->sin_family, AF_INET);
  CHECK_EQ(a->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  OK(ioctl(fd, SIOCGIFNETMASK, &r));
  CHECK_EQ(a->sin_addr.s_addr, htonl(0xff000000));
  OK(ioctl(fd, SIOCGIFBRDADDR, &r));
  CHECK_EQ(a->sin_addr.s_addr, 0);
  OK(ioctl(fd, SIOCGIFHWADDR, &r));
  CHECK_EQ(r.ifr_hwaddr.sa_family, ARPHRD_LOOPBACK);
  CHECK(memcmp(r.ifr_hwaddr.sa_data, "\0\0\0\0\0\0", 6) == 0);
  OK(ioctl(fd, SIOCGIFTXQLEN, &r));
  CHECK_EQ(r.ifr_qlen, 1000);
  OK(ioctl(fd, SIOCGIFMETRIC, &r));
  CHECK_EQ(r.ifr_metric, 0);
  r.ifr_ifindex = 1;
  OK(ioctl(fd, SIOCGIFNAME, &r));
  CHECK_STR(r.ifr_name, "lo");
}

SUBTEST_FORK(what_a_driver_has_not) {
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct ifreq r = {.ifr_name = "lo"};
  // SIOCGETTUNNEL, SIOCADDTUNNEL and the others of SIOCDEVPRIVATE.
  for (unsigned i = 0; i < 16; i++) CHECK_ERR(ioctl(fd, 0x89f0 + i, &r), EOPNOTSUPP);
  strcpy(r.ifr_name, "nowhere0");
  for (unsigned i = 0; i < 16; i++) CHECK_ERR(ioctl(fd, 0x89f0 + i, &r), ENODEV);
}

SUBTEST_FORK(listed) {
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct ifreq r[8];
  struct ifconf c = {.ifc_len = 0, .ifc_req = NULL};
  OK(ioctl(fd, SIOCGIFCONF, &c));
  CHECK_EQ(c.ifc_len, sizeof r[0]);
  c = (struct ifconf){.ifc_len = sizeof r, .ifc_req = r};
  OK(ioctl(fd, SIOCGIFCONF, &c));
  CHECK_EQ(c.ifc_len, sizeof r[0]);
  CHECK_STR(r[0].ifr_name, "lo");
  c.ifc_len = 10;
  OK(ioctl(fd, SIOCGIFCONF, &c));
  CHECK_EQ(c.ifc_len, 0);
  struct if_nameindex *all = if_nameindex();
  if (all != NULL) if_freenameindex(all);
}

SUBTEST_FORK(other_families) {
  int fd = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  struct ifreq r = {.ifr_name = "lo"};
  OK(ioctl(fd, SIOCGIFINDEX, &r));
  CHECK_EQ(r.ifr_ifindex, 1);
  CHECK_ERR(ioctl(fd, SIOCGIFADDR, &r), ENOTTY);
  CHECK_EQ(if_nametoindex("lo"), 1);
}

SUBTEST_FORK(errors) {
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct ifreq r = {.ifr_name = "none9"};
  CHECK_ERR(ioctl(fd, SIOCGIFFLAGS, &r), ENODEV);
  CHECK_ERR(ioctl(fd, SIOCGIFADDR, &r), ENODEV);
  CHECK_ERR(ioctl(fd, SIOCGIFFLAGS, (void *)1), EFAULT);
  r.ifr_ifindex = 99;
  CHECK_ERR(ioctl(fd, SIOCGIFNAME, &r), ENODEV);
  NEED_ROOT();
  CHILD {
    OK(setuid(65534));
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = 0};
    CHECK_ERR(ioctl(fd, SIOCSIFFLAGS, &lo), EPERM);
  }
}

SUBTEST_FORK(new_namespace) {
  NEED_ROOT();
  char before[64] = {0}, after[64] = {0};
  OK(readlink("/proc/self/ns/net", before, 63));
  int own = OK(open("/proc/self/ns/net", O_RDONLY));
  int l = bound4(SOCK_STREAM), port = port_of(l);
  OK(unshare(CLONE_NEWNET));
  OK(readlink("/proc/self/ns/net", after, 63));
  CHECK(strcmp(before, after) != 0);
  // Nothing of the old one is there, and the loopback interface is down.
  int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
  CHECK_ERR(connect4(fd, port), ENETUNREACH);
  struct ifreq r = {.ifr_name = "lo"};
  OK(ioctl(fd, SIOCGIFFLAGS, &r));
  CHECK_EQ(r.ifr_flags & IFF_UP, 0);
  CHECK_ERR(ioctl(fd, SIOCGIFADDR, &r), EADDRNOTAVAIL);
  r.ifr_flags = IFF_UP;
  OK(ioctl(fd, SIOCSIFFLAGS, &r));
  CHECK_ERR(connect4(fd, port), ECONNREFUSED);
  // Sockets stay where they were made.
  OK(setns(own, CLONE_NEWNET));
  CHECK_ERR(connect4(fd, port), ECONNREFUSED);
  OK(connect4(OK(socket(AF_INET, SOCK_STREAM, 0)), port));
  CHECK_ERR(setns(own, CLONE_NEWUTS), EINVAL);
}

SUBTEST_FORK(tables) {
  int l = bound4(SOCK_STREAM), u = bound4(SOCK_DGRAM);
  char want[64];
  snprintf(want, sizeof want, ": 0100007F:%04X 00000000:0000 0A 00000000:00000000", port_of(l));
  CHECK(strstr(get_file("/proc/net/tcp"), want) != NULL);
  snprintf(want, sizeof want, ": 0100007F:%04X 00000000:0000 07 00000000:00000000", port_of(u));
  CHECK(strstr(get_file("/proc/net/udp"), want) != NULL);
  CHECK(strstr(get_file("/proc/net/dev"), "    lo:") != NULL);
  CHECK(strstr(get_file("/proc/net/if_inet6"), "00000000000000000000000000000001 01 80 10 80       lo\n") != NULL);
  int s[2];
  tcp_pair(s);
  snprintf(want, sizeof want, ": 0100007F:%04X 0100007F:%04X 01 00000000:00000000", port_of(s[0]), port_of(s[1]));
  CHECK(strstr(get_file("/proc/net/tcp"), want) != NULL);
}

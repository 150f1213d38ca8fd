"""A private network for tests, so that clients can have addresses other than those of this machine, which several
plugins treat in a special way.

It has only the loopback device, with the requested addresses. Creating it needs the rights of root, which not every
machine grants. The benchmark uses it as well.
"""

import contextlib
import ctypes
import fcntl
import ipaddress
import os
import socket
import struct
import time

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFNETMASK, SIOCGIFINDEX = 0x8913, 0x8914, 0x8916, 0x891C, 0x8933
IFF_UP = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _enter(network=None, addresses=()):
    """Moves this thread, and everything that it starts, into a new network; OSError if that is not allowed."""
    if _libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        def ipv4(name, address):
            return struct.pack("16sHH4s8x", name, socket.AF_INET, 0, address.packed)
        flags = struct.unpack_from("H", fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0)), 16)[0]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))
        if network:
            fcntl.ioctl(control, SIOCSIFADDR, ipv4(b"lo:1", network[1]))
            fcntl.ioctl(control, SIOCSIFNETMASK, ipv4(b"lo:1", network.netmask))
        index = struct.unpack_from("i", fcntl.ioctl(control, SIOCGIFINDEX, struct.pack("16s16x", b"lo")), 16)[0]
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as control:
        for address in addresses:
            fcntl.ioctl(control, SIOCSIFADDR, struct.pack("16sIi", socket.inet_pton(socket.AF_INET6, address), 128, index))


def _wait_for_addresses():
    """A new IPv6 address is unusable until the system has checked, for about a second, that no other host has it."""
    is_tentative, deadline = 0x40, time.monotonic() + 10
    while time.monotonic() < deadline:
        with open("/proc/thread-self/net/if_inet6") as rows:
            if not any(int(row.split()[4], 16) & is_tentative for row in rows):
                return
        time.sleep(0.1)


def is_allowed():
    """Whether this process may create one; tried in a child."""
    child = os.fork()
    if child == 0:
        try:
            _enter()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@contextlib.contextmanager
def own_network(network, addresses=()):
    """The block, and everything that it starts, runs in a network with all of `network` (IPv4, "192.0.2.0/24") and
    these IPv6 addresses, if IPv6 is available."""
    with open("/proc/thread-self/ns/net") as before:
        _enter(ipaddress.ip_network(network), addresses)
        try:
            with contextlib.suppress(FileNotFoundError):
                _wait_for_addresses()
            yield
        finally:
            if _libc.setns(before.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

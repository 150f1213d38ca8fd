"""Writes a database in the MaxMind DB format (version 2.0) for tests: addresses with data about them."""

import ipaddress
import struct


class Short(int):
    """A number that takes two octets; others take four."""


class Long(int):
    """A number that takes eight octets."""


def value(data):
    """One value of the data section: texts, numbers, lists, and dictionaries of these."""
    def head(kind, size):
        assert size < 29, "a value is too long for this writer"
        return bytes([(kind if kind < 8 else 0) << 5 | size]) + (bytes([kind - 7]) if kind > 7 else b"")
    if isinstance(data, str):
        return head(2, len(data)) + data.encode()
    if isinstance(data, float):
        return head(3, 8) + struct.pack(">d", data)
    if isinstance(data, int):
        kind, size = {Short: (5, 2), Long: (9, 8)}.get(type(data), (6, 4))
        return head(kind, size) + data.to_bytes(size, "big")
    if isinstance(data, list):
        return head(11, len(data)) + b"".join(map(value, data))
    return head(7, len(data)) + b"".join(value(name) + value(member) for name, member in data.items())


def database(kind, entries):
    """The octets of a file with `entries`, {address: dictionary}. A tree over the bits of IPv6 addresses, IPv4 ones being below ::/96."""
    nodes, data = [[None, None]], b""
    for text, known in entries.items():
        address = ipaddress.ip_address(text)
        bits = f"{int(address):0128b}"
        at = 0
        for bit in map(int, bits[:-1]):
            if nodes[at][bit] is None:
                nodes[at][bit] = len(nodes)
                nodes.append([None, None])
            at = nodes[at][bit]
        nodes[at][int(bits[-1])] = ("data", len(data))
        data += value(known)

    def record(side):
        if side is None:
            return len(nodes)
        return side if isinstance(side, int) else len(nodes) + 16 + side[1]
    tree = b"".join(struct.pack(">II", record(left), record(right)) for left, right in nodes)
    about = {"binary_format_major_version": Short(2), "binary_format_minor_version": Short(0), "build_epoch": Long(1700000000), "database_type": kind, "languages": ["en"],
             "description": {"en": "made by a test"}, "ip_version": Short(6), "node_count": len(nodes), "record_size": Short(32)}
    return tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + value(about)

"""Unexpected ends of TLS, and failed handshakes: the session ends, the server queues nothing, takes clear text after
TLS for no command, and frees everything that the session had (thread, memory, files). CVE-2026-45185 was of this
kind: a close_notify within BDAT, and clear text."""

import os
import re

import pytest

from certificates import client_context
from maildir import check_stored
from raw_tls import PLAIN_TEXT, RawTls, begin, client_hello, rest_of
from smtp_client import encrypted
from smtpd_env import check_growth, resident_memory, wait_until
from test_virtual_hosts import STATUS, fetch

HEADER = b"From: sender@example.net\r\nSubject: half a message\r\n\r\n"
HOW = pytest.mark.parametrize("implicit", [False, True], ids=["starttls", "implicit"])

HELLO = [("EHLO client.example.net", 250)]
MAIL = [*HELLO, ("MAIL FROM:<a@example.net>", 250)]
ENVELOPE = [*MAIL, ("RCPT TO:<user@example.com>", 250)]
CHUNK = [*ENVELOPE, (f"BDAT {len(HEADER)}\r\n{HEADER.decode()[:-2]}", 250)]

#: What is said and answered, and what is sent then, at whose end TLS ends.
POINTS = {
    "before the first word": ([], b""),
    "in a command": (HELLO, b"MAIL FROM:<a@exa"),
    "behind MAIL": (MAIL, b""),
    "behind a recipient": (ENVELOPE, b""),
    "behind DATA": ([*ENVELOPE, ("DATA", 354)], b""),
    "in a message": ([*ENVELOPE, ("DATA", 354)], HEADER + b"text\r\n"),
    "in the end of a message": ([*ENVELOPE, ("DATA", 354)], HEADER + b"text\r\n."),
    "behind the CR of its end": ([*ENVELOPE, ("DATA", 354)], HEADER + b"text\r\n.\r"),
    "in the line of BDAT": (ENVELOPE, b"BDAT 10"),
    "behind the line of BDAT": (ENVELOPE, b"BDAT 100 LAST\r\n"),
    "in a chunk": (ENVELOPE, b"BDAT 100 LAST\r\n" + HEADER),
    "one octet before the end of a chunk": (ENVELOPE, b"BDAT %d LAST\r\n" % len(HEADER) + HEADER[:-1]),
    "behind a chunk": (CHUNK, b""),
    "in the chunk behind": (CHUNK, b"BDAT 100 LAST\r\nabc"),
    "in a chunk of 2^64 octets": (ENVELOPE, b"BDAT 18446744073709551615 LAST\r\n" + HEADER),
}

#: What the client does at that point.
ENDS = ("close_notify", "close_notify and plain text", "close_notify and close", "truncation", "reset")

#: Ends a message, and a chunk, and is commands if anybody reads it so.
BEHIND = b"x" * 100 + b"\r\n.\r\nNOOP injected\r\nMAIL FROM:<injected@example.net>\r\nQUIT\r\n"


def end_there(smtp, authority, implicit, point, end):
    """A session that ends in this way; returns the clear text after it."""
    said, octets = POINTS[point]
    with begin(smtp, implicit) as client:
        tls = RawTls(client, client_context(authority))
        if implicit:
            tls.expect(220)
        for line, code in said:
            tls.command(line, code)
        if octets:
            tls.send(octets)
        if end.startswith("close_notify"):
            tls.close_notify()
        if end.endswith("plain text"):
            client.send(BEHIND)
        if end == "reset":
            client.reset()
        elif end == "truncation" or end.endswith("close"):
            client.close()
        else:
            return rest_of(client)
    return b""


def all_is_back(web):
    """No session remains, and no thread is busy except the one that reports this."""
    page = fetch(web.port, "/server-status?auto")
    return re.search(r"^SmtpSessions: 0$", page, re.M) and re.search(r"^BusyWorkers: 1$", page, re.M)


def check_all_is_back(server, web, smtp, authority, implicit):
    wait_until(lambda: all_is_back(web), 20, "sessions or threads are left over", interval=0.1)
    with encrypted(smtp.port, client_context(authority), implicit) as client:
        client.deliver(HEADER + b"still here\r\n").expect(250)
        client.quit()
    check_stored(smtp.maildir.only(), HEADER + b"still here\r\n")


def open_files(server):
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in server.children())


@pytest.fixture
def site(tls_server, mpm):
    """Makes (server, smtp, authority, web)."""
    def make(implicit, more=""):
        server, smtp, authority = tls_server(mpm, implicit=implicit, modules=("authz_core", "status"), main="ExtendedStatus On", more=more)
        web = server.http(STATUS)
        server.start()
        return server, smtp, authority, web
    return make


@HOW
@pytest.mark.parametrize("end", ENDS)
def test_the_end_of_tls_is_the_end_of_the_session(site, end, implicit):
    server, smtp, authority, web = site(implicit)
    for point in POINTS:
        answer = end_there(smtp, authority, implicit, point, end)
        assert not re.search(rb"(250|354|503|221)[ -]", answer), (point, answer)
    ended = server.wait_log("disconnect after", count=len(POINTS))
    assert len(ended) == len(POINTS), "\n".join(map(repr, ended))
    text = server.log_text()
    assert "injected" not in text and "accepted" not in text
    assert end == "reset" or "handshake failed" not in text  # a reset may overtake the end of the handshake
    assert not smtp.maildir.new() and not smtp.maildir.tmp() and not list(smtp.spool.iterdir())
    check_all_is_back(server, web, smtp, authority, implicit)


@HOW
@pytest.mark.parametrize("point", ["in a message", "in a chunk", "behind the line of BDAT"])
def test_the_end_of_tls_gives_everything_back(site, point, implicit):
    server, smtp, authority, web = site(implicit)

    def some(count):
        for _ in range(count):
            end_there(smtp, authority, implicit, point, "close_notify and plain text")

    some(100)
    wait_until(lambda: all_is_back(web), 20, "sessions or threads are left over", interval=0.1)
    files, memory = open_files(server), sum(map(resident_memory, server.children()))
    some(200)
    server.wait_log("disconnect after", count=300, seconds=20)
    check_all_is_back(server, web, smtp, authority, implicit)
    check_growth(memory, sum(map(resident_memory, server.children())), 1_500_000)
    assert open_files(server) <= files + 2


HELLO_OCTETS = client_hello()

#: What comes instead of a handshake; None: nothing more than that comes.
NO_HANDSHAKES = {
    "plain text": PLAIN_TEXT,
    "HTTP": b"GET / HTTP/1.1\r\n\r\n",
    "nothing": b"",
    "half a hello": HELLO_OCTETS[: len(HELLO_OCTETS) // 2],
    "a hello": HELLO_OCTETS,
    "no hello": b"\x16\x03\x01\x00\x05hello",
    "a hello of another length": HELLO_OCTETS[:3] + b"\xff\xff" + HELLO_OCTETS[5:],
    "an alert": b"\x15\x03\x01\x00\x02\x02\x28",
    "the end": b"\x15\x03\x03\x00\x02\x01\x00",
    "octets of an application": b"\x17\x03\x03\x00\x10" + b"x" * 16,
}


@HOW
def test_handshakes_that_come_to_nothing_give_everything_back(site, implicit):
    server, smtp, authority, web = site(implicit, "SmtpHandshakeTimeout 1s")

    def some(count):
        for number in range(count):
            for octets in NO_HANDSHAKES.values():
                client = begin(smtp, implicit)
                client.send(octets)
                client.reset() if number % 2 else client.close()
        stalled = [begin(smtp, implicit) for _ in range(3)]  # until the server has had enough
        for octets, client in zip((b"", HELLO_OCTETS[:10], HELLO_OCTETS), stalled):
            client.send(octets)
        for client in stalled:
            rest_of(client)
            client.close()
        wait_until(lambda: all_is_back(web), 20, "sessions or threads are left over", interval=0.1)

    some(4)
    files, memory = open_files(server), sum(map(resident_memory, server.children()))
    some(16)
    check_all_is_back(server, web, smtp, authority, implicit)
    check_growth(memory, sum(map(resident_memory, server.children())), 1_500_000)
    assert open_files(server) <= files + 2

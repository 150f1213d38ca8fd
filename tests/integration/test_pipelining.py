"""PIPELINING (RFC 2920): the replies to a group of commands leave together, and a client that waits for each reply
gets it at once."""

import statistics
import time

import pytest

import smtpd_env
from maildir import check_stored
from smtp_client import Client, stuffed
from smtpd_env import SLOWDOWN

HEADER = b"From: sender@example.net\r\nSubject: pipelining\r\n\r\n"


@pytest.fixture(scope="module", params=smtpd_env.MPMS)
def smtp(request):
    with smtpd_env.Httpd(request.param) as server:
        host = server.smtp(lines="SmtpMaxErrors 0")
        server.start()
        yield host


def segments_for(client, octets, replies):
    """Sends a group in one packet; (its replies, the number of TCP segments in which they came, whether the first read held all of them)."""
    before = client.data_segments_received()
    client.send(octets)
    first = client.socket.recv(1 << 20)
    client.buffer += first
    found = client.replies(replies)
    return found, client.data_segments_received() - before, len(first) == sum(len(reply.raw) for reply in found)


def check_in_one_write(client, octets, codes):
    found, segments, at_once = segments_for(client, octets, len(codes))
    assert [reply.code for reply in found] == codes, found
    assert at_once, "the first read holds only some of the replies"
    assert segments in (0, 1), f"the replies came in {segments} segments"


GROUPS = {
    "EHLO, a reply of many lines": (b"EHLO client.example.net\r\n", [250]),
    "HELP, a reply of many lines": (b"HELP\r\n", [214]),
    "envelope": (b"MAIL FROM:<a@example.net>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n", [250, 250, 354]),
    "100 recipients": (b"MAIL FROM:<a@example.net>\r\n" + b"".join(b"RCPT TO:<user%d@example.com>\r\n" % n for n in range(100)), [250] * 101),
    "some refused": (b"MAIL FROM:<a@example.net>\r\nRCPT TO:<user@example.com>\r\nRCPT TO:<user@elsewhere.example>\r\nRCPT TO:<\r\nBOGUS\r\nDATA\r\n",
                     [250, 250, 550, 501, 500, 354]),
    "all recipients refused": (b"MAIL FROM:<a@example.net>\r\nRCPT TO:<user@elsewhere.example>\r\nDATA\r\nRSET\r\n", [250, 550, 503, 250]),
    "50 NOOPs": (b"NOOP\r\n" * 50, [250] * 50),
}


@pytest.mark.parametrize("name", GROUPS)
def test_replies_to_a_group_leave_in_one_write(smtp, name):
    octets, codes = GROUPS[name]
    with Client(smtp.port) as client:
        if not octets.startswith(b"EHLO"):
            client.ehlo()
        check_in_one_write(client, octets, codes)


def test_greeting_and_reply_to_quit_are_one_write_each(smtp):
    with Client(smtp.port) as client:
        assert client.data_segments_received() in (0, 1)
        found, segments, at_once = segments_for(client, b"QUIT\r\n", 1)
        assert found[0].code == 221 and at_once and segments in (0, 1)
        client.expect_close()


def test_several_messages_in_one_packet(smtp):
    """As many commands as RFC 2920 lets a client send without waiting, over two messages; all replies are in order."""
    smtp.maildir.clear()
    first, second = HEADER + b"first\r\n", HEADER + b"second\r\n"
    envelope = b"MAIL FROM:<sender@example.net>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n"
    with Client(smtp.port) as client:
        client.send(b"EHLO client.example.net\r\n" + envelope + stuffed(first) + envelope + stuffed(second) + b"QUIT\r\n")
        codes = [reply.code for reply in client.remaining_replies()]
    assert codes == [250, 250, 250, 354, 250, 250, 250, 354, 250, 221]
    for stored, message in zip(sorted(smtp.maildir.stored(), key=lambda one: b"second" in one.raw), (first, second)):
        check_stored(stored, message)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_group_in_small_packets(smtp, size):
    smtp.maildir.clear()
    message = HEADER + b"small packets\r\n.\r\n..\r\n"
    with Client(smtp.port) as client:
        client.send_slowly(b"EHLO c.example.net\r\nMAIL FROM:<sender@example.net>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n" + stuffed(message) + b"QUIT\r\n",
                           size=size)
        assert [reply.code for reply in client.remaining_replies()] == [250, 250, 250, 354, 250, 221]
    check_stored(smtp.maildir.only(), message)


def test_line_end_split_over_packets(smtp):
    with Client(smtp.port) as client:
        client.ehlo()
        for half, rest in ((b"NOOP\r", b"\n"), (b"NO", b"OP\r\n"), (b"NOOP", b"\r\n")):
            client.send(half)
            assert client.is_silent_for(0.05)
            client.send(rest)
            client.reply().expect(250)


def test_a_waiting_client_is_answered_at_once(smtp):
    """No reply waits for the timer of Nagle's algorithm or of a delayed acknowledgement (40 ms and more)."""
    commands = [b"MAIL FROM:<a@example.net>", b"RCPT TO:<user@example.com>", b"RSET", b"NOOP"]
    times = []
    with Client(smtp.port) as client:
        client.ehlo()
        for _ in range(15):
            for command in commands:
                began = time.perf_counter()
                client.command(command, 250)
                times.append(time.perf_counter() - began)
        # A message in the pieces in which a simple client sends it.
        for number in range(10):
            client.envelope()
            client.command("DATA", 354)
            began = time.perf_counter()
            client.send(HEADER)
            client.send(b"body %d\r\n" % number)
            client.send(b".\r\n")
            client.reply().expect(250)
            times.append(time.perf_counter() - began)
    assert statistics.median(times) < 0.02 * SLOWDOWN, f"median {statistics.median(times) * 1000:.1f} ms"
    assert statistics.quantiles(times, n=10)[-1] < 0.038 * SLOWDOWN, f"slowest tenth {statistics.quantiles(times, n=10)[-1] * 1000:.1f} ms"


def test_reading_late_loses_no_reply(smtp):
    """Replies to some hundred commands, read only when all are sent."""
    with Client(smtp.port, receive_buffer=4096) as client:
        client.ehlo()
        client.send(b"MAIL FROM:<a@example.net>\r\n" + b"RCPT TO:<user@elsewhere.example>\r\n" * 300)
        time.sleep(0.3)
        assert client.reply().code == 250
        for _ in range(300):
            client.reply().expect(550)
        client.quit()

"""Every limit: the reply to the client, and the release of what was held."""

import os
import re
import signal
import time

import pytest

from maildir import check_stored
from smtp_client import Client, Closed
from smtpd_env import KILLED, SLOWDOWN, wait_until

HEADER = b"From: sender@example.net\r\nSubject: limits\r\n\r\n"


def greeted(port, **options):
    """A greeted client, or the reply that it got instead."""
    client = Client(port, **options)
    if client.greeting.code == 220:
        return client
    refusal = client.greeting
    client.expect_close()
    client.close()
    return refusal


def wait_for_greeting(port, seconds=10, **options):
    """Connects until it is greeted, for places that become free in a moment."""
    def attempt():
        client = greeted(port, **options)
        return client if isinstance(client, Client) else None
    return wait_until(attempt, seconds, "no session became free", interval=0.1)


# --- sessions

def test_connections_of_a_server(make_server, mpm):
    server = make_server(mpm, children=2, threads=8)
    smtp = server.smtp(lines="SmtpMaxConnections 4")
    other = server.smtp()
    server.start()
    clients = [Client(smtp.port) for _ in range(4)]
    for _ in range(3):
        greeted(smtp.port).expect(421, "4.3.2")
    with Client(other.port) as elsewhere:
        elsewhere.quit()  # each virtual host has its own count
    clients[0].quit()
    clients[0] = wait_for_greeting(smtp.port)
    greeted(smtp.port).expect(421, "4.3.2")
    clients[1].reset()
    clients[1] = wait_for_greeting(smtp.port)
    for client in clients:
        client.ehlo()
        client.quit()


def test_connections_of_a_client(make_server, mpm):
    server = make_server(mpm, children=2, threads=8)
    smtp = server.smtp(lines="SmtpMaxConnectionsPerClient 3")
    server.start()
    clients = [Client(smtp.port, source="127.0.0.5") for _ in range(3)]
    greeted(smtp.port, source="127.0.0.5").expect(421, "4.7.0")
    neighbour = Client(smtp.port, source="127.0.0.6")
    neighbour.quit()
    clients[0].quit()
    clients[0] = wait_for_greeting(smtp.port, source="127.0.0.5")
    greeted(smtp.port, source="127.0.0.5").expect(421, "4.7.0")
    for client in clients:
        client.quit()


def test_connections_of_a_client_by_prefix(make_server, mpm):
    server = make_server(mpm, children=2, threads=8)
    smtp = server.smtp(lines="SmtpMaxConnectionsPerClient 3 24 48")
    server.start()
    clients = [Client(smtp.port, source=f"127.0.1.{number}") for number in (1, 2, 200)]
    greeted(smtp.port, source="127.0.1.77").expect(421, "4.7.0")
    Client(smtp.port, source="127.0.2.1").quit()
    for client in clients:
        client.quit()
    wait_for_greeting(smtp.port, source="127.0.1.77").quit()


def test_connections_of_an_ipv6_client(make_server, needs_ipv6):
    server = make_server("event")
    smtp = server.smtp(lines="SmtpMaxConnectionsPerClient 2")
    server.start()
    clients = [Client(smtp.port, host="::1") for _ in range(2)]
    greeted(smtp.port, host="::1").expect(421, "4.7.0")
    Client(smtp.port).quit()
    for client in clients:
        client.quit()


@pytest.mark.parametrize("limit", ["SmtpMaxConnections 6", "SmtpMaxConnectionsPerClient 6"])
def test_a_killed_child_gives_its_sessions_back(make_server, mpm, limit):
    server = make_server(mpm, children=2, threads=8)
    smtp = server.smtp(lines=limit)
    server.start()
    server.allow_log(KILLED)
    clients = [Client(smtp.port) for _ in range(6)]
    greeted(smtp.port).expect(421)
    serving = {line.pid for line in server.wait_log(r"\[client 127\.0\.0\.1:\d+\] .*\] connect$", count=6)}
    for pid in serving:
        os.kill(pid, signal.SIGKILL)
    for client in clients:
        with pytest.raises(Closed):
            client.reply()
        client.close()
    clients = [wait_for_greeting(smtp.port, seconds=20) for _ in range(6)]
    greeted(smtp.port).expect(421)
    for client in clients:
        client.quit()


# --- within a session

def test_errors(make_server, mpm):
    server = make_server(mpm)
    smtp = server.smtp(lines="SmtpMaxErrors 5")
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        for _ in range(4):
            client.command("BOGUS", 500, "5.5.1")
        client.command("BOGUS", 500, "5.5.1")
        client.reply().expect(421, "4.7.0")
        client.expect_close()
    # All in one packet: the session ends at the same place.
    with Client(smtp.port) as client:
        client.send(b"EHLO c.example.net\r\n" + b"BOGUS\r\n" * 50)
        assert [reply.code for reply in client.remaining_replies()] == [250] + [500] * 5 + [421]


def test_refused_recipients_are_errors(make_server):
    server = make_server("event")
    smtp = server.smtp(lines="SmtpMaxErrors 10")
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.command("MAIL FROM:<a@example.net>", 250)
        client.send(b"".join(b"RCPT TO:<user%d@elsewhere.example>\r\n" % n for n in range(100)))
        assert [reply.code for reply in client.remaining_replies()] == [550] * 10 + [421]


def test_commands_without_use_are_errors_after_a_while(make_server):
    server = make_server("event")
    smtp = server.smtp(lines="SmtpMaxErrors 5")
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.send(b"NOOP\r\n" * 1000)
        codes = [reply.code for reply in client.remaining_replies()]
    assert codes[-1] == 421 and set(codes[:-1]) == {250} and len(codes) < 200


def test_recipients(make_server, mpm):
    server = make_server(mpm)
    smtp = server.smtp(lines="SmtpMaxRecipients 3")
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.envelope("sender@example.net", "a@example.com", "b@example.com", "c@example.com")
        client.command("RCPT TO:<d@example.com>", 452, "4.5.3")
        client.data(HEADER).expect(250)
        client.envelope("sender@example.net", "d@example.com")  # the count is that of one message
        client.data(HEADER).expect(250)
        client.quit()
    first, second = sorted(smtp.maildir.stored(), key=lambda one: b"d@example.com" in one.raw)
    check_stored(first, HEADER, recipients=("a@example.com", "b@example.com", "c@example.com"))
    check_stored(second, HEADER, recipients=("d@example.com",))


# --- size

@pytest.fixture
def ten_thousand(make_server, mpm):
    server = make_server(mpm)
    host = server.smtp(lines="SmtpMaxMessageSize 10000")
    server.start()
    return host


def test_size_is_announced(ten_thousand):
    with Client(ten_thousand.port) as client:
        assert "SIZE 10000" in client.ehlo().lines


def test_declared_size(ten_thousand):
    with Client(ten_thousand.port) as client:
        client.ehlo()
        client.command("MAIL FROM:<a@example.net> SIZE=10001", 552, "5.3.4")
        client.command("MAIL FROM:<a@example.net> SIZE=99999999999999999999999999", (501, 552))
        client.command("MAIL FROM:<a@example.net> SIZE=x", 501, "5.5.4")
        client.command("MAIL FROM:<a@example.net> SIZE=10000", 250)


def exactly(size):
    message = HEADER + b"line of text\r\n" * (size // 14)
    return message[: size - 2].rstrip(b"\r\n").ljust(size - 2, b"x") + b"\r\n"


def test_size_without_declaration(ten_thousand):
    with Client(ten_thousand.port) as client:
        client.ehlo()
        client.deliver(exactly(10000)).expect(250)
        check_stored(ten_thousand.maildir.only(), exactly(10000))
        ten_thousand.maildir.clear()
        client.deliver(exactly(10001)).expect(552, "5.3.4")
        client.deliver(exactly(3_000_000)).expect(552, "5.3.4")
        assert ten_thousand.maildir.new() == [] and list(ten_thousand.spool.iterdir()) == []
        client.deliver(HEADER + b"small\r\n").expect(250)
        client.quit()
    check_stored(ten_thousand.maildir.only(), HEADER + b"small\r\n")


def test_a_false_declaration_does_not_help(ten_thousand):
    with Client(ten_thousand.port) as client:
        client.ehlo()
        client.command("MAIL FROM:<a@example.net> SIZE=10", 250)
        client.command("RCPT TO:<user@example.com>", 250)
        client.data(exactly(10001)).expect(552, "5.3.4")
    assert ten_thousand.maildir.new() == []


def test_stuffed_dots_do_not_count(ten_thousand):
    message = b"X: y\r\n\r\n" + b".\r\n" * 3330
    assert len(message) <= 10000 < len(message) + 3330
    with Client(ten_thousand.port) as client:
        client.ehlo()
        client.deliver(message).expect(250)
    check_stored(ten_thousand.maildir.only(), message)


def test_lines_of_a_message(make_server):
    server = make_server("event")
    smtp = server.smtp(lines="SmtpMaxLineLength 998")
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(HEADER + b"x" * 1200 + b"\r\n").expect(554, "5.6.0")
        client.deliver(HEADER + b"x" * 990 + b"\r\n").expect(250)
    check_stored(smtp.maildir.only(), HEADER + b"x" * 990 + b"\r\n")


# --- time

def closes_with(client, code, enhanced, earliest, latest):
    """The server says 421 and closes, within that time."""
    began = time.monotonic()
    reply = client.reply()
    after = time.monotonic() - began
    reply.expect(code, enhanced)
    client.expect_close()
    assert earliest <= after <= latest * SLOWDOWN, f"{reply!r} came after {after:.1f} s"


def test_silent_clients(make_server, mpm):
    """In any state: 421 after Timeout, and nothing is delivered."""
    server = make_server(mpm, main="Timeout 2")
    smtp = server.smtp()
    server.start()
    clients = {state: Client(smtp.port, timeout=30) for state in ("greeted", "after EHLO", "after RCPT", "in DATA", "half a command", "half a line end")}
    began = time.monotonic()
    for state, client in clients.items():
        if state != "greeted":
            client.ehlo()
        if state in ("after RCPT", "in DATA"):
            client.envelope()
        if state == "in DATA":
            client.command("DATA", 354)
            client.send(HEADER)
        if state == "half a command":
            client.send("MAIL FROM:<a@exa")
        if state == "half a line end":
            client.send("NOOP\r")
    for state, client in clients.items():
        reply = client.reply()
        assert (reply.code, reply.enhanced) == (421, "4.4.2"), f"{state}: {reply!r}"
        client.expect_close()
        client.close()
    assert 1.5 <= time.monotonic() - began <= 6 * SLOWDOWN
    assert smtp.maildir.new() == []


def test_vhost_has_its_own_timeout(make_server):
    server = make_server("event", main="Timeout 300")
    quick = server.smtp(lines="Timeout 1")
    slow = server.smtp()
    server.start()
    with Client(quick.port) as hasty, Client(slow.port) as patient:
        closes_with(hasty, 421, "4.4.2", 0.5, 5)
        patient.ehlo()
        patient.quit()


def test_activity_keeps_a_session(make_server, mpm):
    server = make_server(mpm, main="Timeout 2")
    smtp = server.smtp()
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        for _ in range(3):
            time.sleep(0.9)
            client.command("NOOP", 250)
        client.quit()


def test_session_timeout(make_server, mpm):
    """However busy the client is."""
    server = make_server(mpm)
    smtp = server.smtp(lines="SmtpSessionTimeout 3\nSmtpMaxErrors 0")
    server.start()
    with Client(smtp.port) as client:
        began = time.monotonic()
        client.ehlo()
        with pytest.raises((Closed, BrokenPipeError, ConnectionResetError)):
            while time.monotonic() - began < 20 * SLOWDOWN:
                reply = client.command("RSET")
                if reply.code == 421:
                    reply.expect(421, "4.4.2")
                    client.expect_close()
                    raise Closed
                time.sleep(0.2)
        assert 2 <= time.monotonic() - began <= 7 * SLOWDOWN


def test_session_timeout_of_an_idle_session(make_server, mpm):
    server = make_server(mpm)
    smtp = server.smtp(lines="SmtpSessionTimeout 2")
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        closes_with(client, 421, "4.4.2", 1, 6)


def drip(client, seconds, octets=b"a line\r\n", pause=0.25):
    """Sends a little again and again until the server sends something; returns that."""
    end = time.monotonic() + seconds * SLOWDOWN
    while time.monotonic() < end:
        try:
            client.send(octets)
        except (BrokenPipeError, ConnectionResetError):
            return client.reply()
        if not client.is_silent_for(pause):
            return client.reply()
    raise AssertionError(f"the server lets a slow client go on for {seconds} s")


def test_slow_data(make_server, mpm):
    server = make_server(mpm)
    smtp = server.smtp(lines="SmtpMinDataRate 20000 5s")
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.envelope()
        client.command("DATA", 354)
        drip(client, 90).expect(421, "4.4.2")
    assert smtp.maildir.new() == [] and smtp.maildir.tmp() == []


def test_an_honest_pause(make_server):
    """RFC 5321 4.5.3.2: clients have minutes, with the default settings too."""
    server = make_server("event")
    smtp = server.smtp()
    server.start()
    with Client(smtp.port, timeout=60) as client:
        client.ehlo()
        client.envelope()
        client.command("DATA", 354)
        assert client.is_silent_for(7)
        client.send(HEADER + b"a line\r\n")
        assert client.is_silent_for(2)
        client.send(".\r\n")
        client.reply().expect(250)
    check_stored(smtp.maildir.only(), HEADER + b"a line\r\n")


def test_slow_data_without_a_limit(make_server):
    server = make_server("event")
    smtp = server.smtp(lines="SmtpMinDataRate 0")
    server.start()
    message = HEADER + b"a line\r\n" * 16
    with Client(smtp.port) as client:
        client.ehlo()
        client.envelope()
        client.command("DATA", 354)
        client.send_slowly(message, pause=0.2, size=12)
        client.send(".\r\n")
        client.reply().expect(250)
    check_stored(smtp.maildir.only(), message)


def test_defaults_of_the_limits_do_not_hinder_an_ordinary_client(make_server):
    server = make_server("event")
    smtp = server.smtp()
    server.start()
    recipients = [f"user{number}@example.com" for number in range(1000)]
    with Client(smtp.port) as client:
        client.ehlo()
        client.envelope("sender@example.net", *recipients)
        client.command("RCPT TO:<onemore@example.com>", 452, "4.5.3")
        client.data(HEADER).expect(250)
    assert len(re.findall(rb"Delivered-To", smtp.maildir.only().raw)) == 1000

"""Clients that are slow, early, half-closed, binary, endless, or gone: the server answers properly, keeps its memory, and goes on serving others."""

import os
import random
import selectors
import socket
import threading
import time

import pytest

from maildir import check_stored
from smtp_client import Client, Closed, stuffed
from smtpd_env import SLOWDOWN, check_growth, resident_memory, wait_until

HEADER = b"From: sender@example.net\r\nSubject: hostile\r\n\r\n"

CONVERSATION = [b"EHLO client.example.net\r\n", b"MAIL FROM:<sender@example.net>\r\n", b"RCPT TO:<user@example.com>\r\n", b"DATA\r\n",
                HEADER + b"text\r\n", b".\r\n", b"QUIT\r\n"]


@pytest.fixture
def server(make_server, mpm):
    server = make_server(mpm)
    server.smtp(lines="SmtpMinDataRate 0")
    return server


@pytest.fixture
def smtp(server):
    server.start()
    return server.hosts[0]


def check_still_serving(smtp):
    """The server serves another client as if nothing had happened."""
    smtp.maildir.clear()
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(HEADER + b"still here\r\n").expect(250)
        client.quit()
    check_stored(smtp.maildir.only(), HEADER + b"still here\r\n")


# --- slow, half-closed

def test_one_octet_at_a_time(smtp):
    message = HEADER + b"slow\r\n"
    with Client(smtp.port) as client:
        octets = b"".join(CONVERSATION[:4]) + stuffed(message) + b"QUIT\r\n"
        client.send_slowly(octets, pause=0.002)
        assert [reply.code for reply in client.remaining_replies()] == [250, 250, 250, 354, 250, 221]
    check_stored(smtp.maildir.only(), message)


@pytest.mark.parametrize("last", ["QUIT", "", "NOOP"])
def test_all_replies_reach_a_client_that_has_closed_its_side(smtp, last):
    """As `printf ... | nc` does."""
    message = HEADER + b"half closed\r\n"
    with Client(smtp.port) as client:
        client.send(b"".join(CONVERSATION[:4]) + stuffed(message) + (last.encode() + b"\r\n" if last else b""))
        client.half_close()
        codes = [reply.code for reply in client.remaining_replies()]
    assert codes == [250, 250, 250, 354, 250] + {"QUIT": [221], "NOOP": [250], "": []}[last]
    check_stored(smtp.maildir.only(), message)


def test_quit_closes_the_connection_at_once(make_server, mpm):
    """The server keeps nothing for a client that does not close its side: it answers further input with RST."""
    server = make_server(mpm)
    smtp = server.smtp()
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.command("QUIT", 221)
        client.expect_close()
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            for _ in range(20):
                client.send(b"NOOP\r\n")
                time.sleep(0.05)


def test_octets_behind_quit_do_not_cost_the_reply(make_server, mpm):
    """They would be lost if the connection were closed while they arrive."""
    server = make_server(mpm)
    smtp = server.smtp()
    server.start()
    for _ in range(20):
        with Client(smtp.port) as client:
            client.ehlo()
            client.send(b"QUIT\r\n" + b"NOOP\r\n" * 30_000)
            client.reply().expect(221)
            client.expect_close()


def test_half_close_before_the_greeting(make_server, mpm):
    """A client that sends everything at once and shuts down, with no early talker check: it is served."""
    server = make_server(mpm)
    smtp = server.smtp()
    server.start()
    with Client(smtp.port, greet=False) as client:
        client.send(b"".join(CONVERSATION[:4]) + stuffed(HEADER) + b"QUIT\r\n")
        client.half_close()
        assert [reply.code for reply in client.remaining_replies()] == [220, 250, 250, 250, 354, 250, 221]
    check_stored(smtp.maildir.only(), HEADER)


def test_half_close_inside_data(smtp):
    with Client(smtp.port) as client:
        client.send(b"".join(CONVERSATION[:5]))
        client.half_close()
        assert [reply.code for reply in client.remaining_replies()] == [250, 250, 250, 354, 451]
    assert smtp.maildir.new() == [] and smtp.maildir.tmp() == []
    check_still_serving(smtp)


# --- early talkers

EARLYTALKER = 'SmtpPlugin earlytalker wait=1\nSmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir "@maildir@"'


def test_early_talker(make_server, mpm):
    server = make_server(mpm)
    smtp = server.smtp(EARLYTALKER)
    server.start()
    with Client(smtp.port, greet=False) as client:
        began = time.monotonic()
        client.send(b"EHLO c.example.net\r\n")
        client.reply().expect(550, "5.7.1")
        client.expect_close()
        assert time.monotonic() - began < 1.8 * SLOWDOWN
    with Client(smtp.port, greet=False) as client:
        began = time.monotonic()
        client.reply().expect(220)
        assert 0.9 <= time.monotonic() - began <= 2.0 * SLOWDOWN
        client.ehlo()
        client.deliver(HEADER).expect(250)
        client.quit()


def test_client_leaves_while_it_is_parked(make_server, mpm):
    server = make_server(mpm)
    smtp = server.smtp(EARLYTALKER)
    server.start()
    clients = [Client(smtp.port, greet=False) for _ in range(10)]
    time.sleep(0.2)
    for number, client in enumerate(clients):
        client.reset() if number % 2 else client.close()
    server.wait_log(r"disconnect after", count=10)
    with Client(smtp.port) as client:
        client.ehlo()


def test_half_close_while_parked(make_server, mpm):
    """A client that sends nothing and shuts down is not an early talker; its session just ends."""
    server = make_server(mpm)
    smtp = server.smtp(EARLYTALKER)
    server.start()
    with Client(smtp.port, greet=False) as client:
        client.half_close()
        replies = client.remaining_replies()
    assert [reply.code for reply in replies] in ([], [220]), replies
    server.wait_log(r"disconnect after")


@pytest.mark.parametrize("clients", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_parked_clients_hold_no_thread(make_server, clients):
    """Each of many clients at once is greeted about a second after it connected, on a handful of threads."""
    server = make_server("event", threads=8)
    smtp = server.smtp(EARLYTALKER)
    server.start()
    selector = selectors.DefaultSelector()
    connected = {}
    for _ in range(clients):
        one = socket.socket()
        one.setblocking(False)
        connected[one] = time.monotonic()
        one.connect_ex(("127.0.0.1", smtp.port))
        selector.register(one, selectors.EVENT_READ)
    waits = []
    octets = {}
    end = time.monotonic() + 20 * SLOWDOWN
    while len(waits) < clients and time.monotonic() < end:
        for key, _ in selector.select(1):
            one = key.fileobj
            octets[one] = octets.get(one, b"") + one.recv(4096)
            if octets[one].endswith(b"\r\n"):
                waits.append(time.monotonic() - connected[one])
                selector.unregister(one)
    selector.close()
    assert len(waits) == clients, f"{len(waits)} of {clients} were greeted"
    assert all(greeting.startswith(b"220 ") for greeting in octets.values())
    assert min(waits) >= 0.9, f"somebody was greeted after {min(waits):.2f} s"
    assert max(waits) <= 1.0 + (1.0 + clients / 1000) * SLOWDOWN, f"somebody was greeted after {max(waits):.2f} s"
    for one in connected:
        one.close()
    server.wait_log(r"disconnect after", count=clients)


def test_idle_sessions_hold_no_thread(make_server):
    """More sessions than threads; each session goes on when its client does, and a new client is greeted at once."""
    server = make_server("event", threads=6)
    smtp = server.smtp()
    server.start()
    clients = [Client(smtp.port) for _ in range(60)]
    for client in clients:
        client.ehlo()
    began = time.monotonic()
    Client(smtp.port).quit()
    assert time.monotonic() - began < 1.0 * SLOWDOWN
    for client in reversed(clients):
        client.envelope()
    for client in clients:
        client.data(HEADER).expect(250)
        client.quit()
    assert len(smtp.maildir.new()) == 60


# --- rubbish

def test_binary_garbage(smtp):
    generator = random.Random(20231106)
    for _ in range(40):
        garbage = generator.randbytes(generator.choice([1, 10, 500, 5000, 100_000]))
        try:
            with Client(smtp.port) as client:
                client.send(garbage)
                client.half_close()
                client.remaining_replies()
        except (Closed, BrokenPipeError, ConnectionResetError):
            pass
    check_still_serving(smtp)


def test_garbage_in_a_session(smtp):
    """The server refuses lines of garbage one by one, until there are too many; the replies are well-formed."""
    generator = random.Random(42)
    for _ in range(20):
        with Client(smtp.port) as client:
            client.ehlo()
            line = generator.randbytes(200).translate(None, b"\r\n")
            client.send((line + b"\r\n") * 3 + b"QUIT\r\n")
            codes = [reply.code for reply in client.remaining_replies()]
            assert codes[-1] == 221 and len(codes) == 4 and all(500 <= code < 600 for code in codes[:3]), codes
    check_still_serving(smtp)


@pytest.mark.parametrize("octets", [
    b"GET / HTTP/1.1\r\nHost: mx.example.com\r\n\r\n", b"POST /cgi HTTP/1.1\r\nHost: x\r\nContent-Length: 60\r\n\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<user@example.com>\r\n",
    b"CONNECT example.com:25 HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    bytes.fromhex("16030100c8010000c40303") + bytes(range(200))], ids=["GET", "POST", "CONNECT", "HTTP/2", "TLS"])
def test_other_protocols_end_the_session(smtp, octets):
    with Client(smtp.port) as client:
        client.send(octets)
        replies = client.remaining_replies()
    assert len(replies) == 1
    replies[0].expect(554, "5.5.1")
    check_still_serving(smtp)


@pytest.mark.parametrize("length", [512, 998, 2000, 4096, 65536, 1_000_000])
def test_long_command_lines(smtp, length):
    """The server refuses it and stays in step, or ends the session if it is not a command line any more."""
    with Client(smtp.port) as client:
        client.ehlo()
        try:
            client.send(b"NOOP " + b"x" * (length - 7) + b"\r\nRSET\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            first = client.reply()
            if length <= 2000:
                first.expect(250)
            elif length <= 65536:
                first.expect(500, "5.5.2")
            else:
                first.expect(421, "4.7.0")
                client.expect_close()
            if length <= 65536:
                client.reply().expect(250)
                client.quit()
        except Closed:
            assert length > 65536
    check_still_serving(smtp)


def test_a_line_without_end(smtp):
    with Client(smtp.port) as client:
        client.ehlo()
        try:
            for _ in range(300):
                client.send(b"x" * 65536)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            client.reply().expect(421, "4.7.0")
            client.expect_close()
        except Closed:
            pass  # a reset may overtake the reply
    check_still_serving(smtp)


def test_many_parameters_and_odd_ones(smtp):
    lines = [b"MAIL FROM:<a@example.net> " + b"A=1 " * 400, b"MAIL FROM:<a@example.net> =", b"MAIL FROM:<a@example.net> SIZE=", b"MAIL FROM:<a@example.net> ==",
             b"MAIL FROM:<a@example.net> __proto__=1", b"RCPT TO:<user@example.com> NOTIFY=" + b"x" * 1500, b"MAIL FROM:" + b"<" * 1000, b"EHLO"]
    with Client(smtp.port) as client:
        client.ehlo()
        for line in lines:
            client.command(line, (500, 501, 503, 555))
        client.quit()
    check_still_serving(smtp)


# --- floods

def test_100_000_commands(make_server, mpm):
    """The server answers all of them if the administrator wants no limit; its memory does not grow with them."""
    server = make_server(mpm, threads=4)
    smtp = server.smtp(lines="SmtpMaxErrors 0")
    server.start()
    with Client(smtp.port, timeout=120 * SLOWDOWN) as client:
        client.ehlo()
        before = sum(resident_memory(pid) for pid in server.children())
        sender = threading.Thread(target=client.send, args=(b"RSET\r\n" * 99_999 + b"QUIT\r\n",))
        sender.start()
        replies = 0
        while True:
            try:
                octets = client.socket.recv(1 << 16)
            except ConnectionResetError:
                octets = b""
            if not octets:
                break
            replies += octets.count(b"\r\n")
        sender.join()
        after = sum(resident_memory(pid) for pid in server.children())
    assert replies == 100_000
    check_growth(before, after, 4 << 20)


def test_100_000_commands_end_early_by_default(smtp):
    with Client(smtp.port) as client:
        client.ehlo()
        with pytest.raises((BrokenPipeError, ConnectionResetError, Closed)):
            client.send(b"RSET\r\n" * 100_000)
            while True:
                client.reply()
    check_still_serving(smtp)


def test_client_that_never_reads(make_server, mpm):
    """The server does not collect its replies in memory: it stops reading, and finally gives up the client."""
    server = make_server(mpm, main="Timeout 3", threads=4)
    smtp = server.smtp(lines="SmtpMaxErrors 0")
    server.start()
    before = sum(resident_memory(pid) for pid in server.children())
    client = Client(smtp.port, receive_buffer=4096)
    client.ehlo()
    client.socket.settimeout(1)
    sent = 0
    try:
        while sent < 200 << 20:
            sent += client.socket.send(b"HELP\r\n" * 10_000)
        raise AssertionError("the server reads on without an end")
    except TimeoutError:
        pass
    assert sent < 60 << 20
    after = sum(resident_memory(pid) for pid in server.children())
    check_growth(before, after, 6 << 20)
    check_still_serving(smtp)
    server.wait_log(r"disconnect after", seconds=20, count=2)
    client.close()


def test_many_clients_that_never_read_do_not_stop_the_server(make_server):
    """More of them than there are threads; a thread that waits for one is free again after Timeout."""
    server = make_server("event", main="Timeout 2", threads=4)
    smtp = server.smtp(lines="SmtpMaxErrors 0")
    server.start()
    clients = []
    for _ in range(8):
        client = Client(smtp.port, receive_buffer=4096, timeout=30)
        client.ehlo()
        client.socket.setblocking(False)
        try:
            for _ in range(200):
                client.socket.send(b"HELP\r\n" * 10_000)
        except BlockingIOError:
            pass
        clients.append(client)
    check_still_serving(smtp)
    for client in clients:
        client.close()


# --- gone

@pytest.mark.parametrize("manner", ["close", "reset"])
def test_disconnect_at_every_step(server, manner):
    server.start()
    smtp = server.hosts[0]
    wanted = 0
    for steps in range(len(CONVERSATION) + 1):
        for half in (False, True):
            if half and steps == len(CONVERSATION):
                continue
            client = Client(smtp.port)
            for step in CONVERSATION[:steps]:
                client.send(step)
                if step not in (CONVERSATION[4],):
                    client.reply()
            if half:
                client.send(CONVERSATION[steps][:-2])
            getattr(client, manner)()
            wanted += steps >= 6
    # Nothing is left over but what was answered with 250, and every session is over.
    sessions = 2 * len(CONVERSATION) + 1
    server.wait_log(r"disconnect after", count=sessions)
    assert len(smtp.maildir.new()) == wanted
    assert smtp.maildir.tmp() == [] and list(smtp.spool.iterdir()) == []
    check_still_serving(smtp)


def test_disconnect_before_the_greeting(smtp):
    for _ in range(30):
        Client(smtp.port, greet=False).reset()
        Client(smtp.port, greet=False).close()
    check_still_serving(smtp)


def test_reset_while_a_large_message_arrives(server):
    server.start()
    smtp = server.hosts[0]
    for _ in range(5):
        client = Client(smtp.port)
        client.ehlo()
        client.envelope()
        client.command("DATA", 354)
        client.send(HEADER + b"x" * 998 + b"\r\n" * 2)
        client.send((b"y" * 998 + b"\r\n") * 2000)
        client.reset()
    server.wait_log(r"disconnect after", count=5)
    assert smtp.maildir.new() == [] and smtp.maildir.tmp() == [] and list(smtp.spool.iterdir()) == []
    check_still_serving(smtp)


def test_sessions_leave_nothing_behind(make_server, mpm):
    """After some hundred sessions, file descriptors and memory are as before."""
    server = make_server(mpm, threads=4)
    smtp = server.smtp(lines="SmtpSpoolThreshold 1k")
    server.start()

    def session():
        with Client(smtp.port) as client:
            client.ehlo()
            client.deliver(HEADER + b"x" * 900 + b"\r\n" + b"y" * 900 + b"\r\n").expect(250)
            client.quit()

    def descriptors():
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in server.children())

    def memory():
        return sum(resident_memory(pid) for pid in server.children())

    for _ in range(60):
        session()
    server.wait_log(r"disconnect after", count=60)
    files_before, memory_before = descriptors(), memory()
    for _ in range(400):
        session()
    server.wait_log(r"disconnect after", count=460)
    wait_until(lambda: descriptors() <= files_before + 1, 10, "open files grow with the sessions", interval=0.2)
    check_growth(memory_before, memory(), 3 << 20)

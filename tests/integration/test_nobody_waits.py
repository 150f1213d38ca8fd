"""No client, back end or name server delays other clients: with more hanging clients than the server has threads, the
server serves other clients at once.

tests/bench measures the speed; here, a delay is too long to be caused by the scheduler.
"""

import contextlib
import os
import pathlib
import re
import socket
import sqlite3
import ssl
import threading
import time

import pytest

import certificates
import sanitizers
from daemon import Daemon
from maildir import check_stored
from smtp_client import Client, Closed
from smtpd_env import DEFAULT_PLUGINS, SLOWDOWN, connections_to, wait_until

HELPERS = sanitizers.build_dir() / "tests" / "helper_plugins" / ".libs"

HEADER = b"From: sender@example.net\r\nSubject: prompt\r\n\r\n"
MESSAGE = HEADER + b"nobody waits\r\n"
THREADS = 8
CLIENTS = 60  # at a standstill: more than there are threads of any kind
PROMPT = 3.0  # seconds


@contextlib.contextmanager
def crowd(count, make):
    """So many objects of make(number), closed at the end."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(make(number))) for number in range(count)]


def check_prompt(smtp):
    """A new client is greeted, and its message queued, without delay."""
    smtp.maildir.clear()
    began = time.monotonic()
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(MESSAGE).expect(250)
        client.command("QUIT", 221)
    took = time.monotonic() - began
    assert took < PROMPT * SLOWDOWN, f"it took {took:.1f} s"
    check_stored(smtp.maildir.only(), MESSAGE)


def begin_message(port, message=MESSAGE + b".\r\n"):
    """A client that has sent this after DATA, and has not read the reply."""
    client = Client(port)
    client.ehlo()
    client.envelope()
    client.command("DATA", 354)
    client.send(message)
    return client


@pytest.fixture
def server(make_server):
    return make_server("event", threads=THREADS, main="Timeout 60\nSmtpBackendThreads 16")


@pytest.fixture
def stall(server):
    """A file that makes the plugin `stalls` hang as long as it exists."""
    path = server.work / "stall"
    path.write_text("")
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture
def silent_name_server():
    """The port of a name server that accepts questions and answers none."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as silent:
        silent.bind(("127.0.0.1", 0))
        yield silent.getsockname()[1]


def cpu_time(server):
    """The CPU seconds of the children."""
    ticks = 0
    for child in server.children():
        ticks += sum(map(int, pathlib.Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def stalling_host(server, stall, at, more="", lines=""):
    return server.smtp(plugins_with(stall, at, more), f'SmtpPluginDir "{HELPERS}"\n{lines}')


def plugins_with(stall, at, more=""):
    return f'SmtpPlugin stalls "{stall}" at={at} deadline=50s {more}\n{DEFAULT_PLUGINS}'


def log_in(port):
    client = Client(port)
    client.ehlo()
    client.send(b"AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n")
    return client


def test_a_silent_password_server(server):
    """It accepts connections and says nothing."""
    with contextlib.closing(Daemon(None, lambda request: None)) as silent:
        smtp = server.smtp(f"SmtpPlugin auth/auth_vpopmaild host=127.0.0.1 port={silent.port} timeout=20s\n{DEFAULT_PLUGINS}", "SmtpAuthWithoutTLS on")
        other = server.smtp(name="other.example.com")
        server.allow_log(r"auth/auth_vpopmaild: ")
        server.start()
        with crowd(CLIENTS, lambda number: log_in(smtp.port)) as clients:
            check_prompt(smtp)
            check_prompt(other)
            assert all(client.is_silent_for(0.001) for client in clients)


def test_sessions_that_another_thread_has_served(server, stall):
    """One thread polls for clients that will probably continue soon. If it hands a session to a back end, the
    clients that wait beside it do not notice."""
    smtp = stalling_host(server, stall, "mail")
    other = server.smtp(lines="SmtpMaxErrors 0", name="other.example.com")
    server.start()
    is_over = threading.Event()

    def keep_busy():
        with Client(other.port) as client:
            client.ehlo()
            while not is_over.is_set():
                client.command("NOOP", 250)

    def begin(number):
        client = Client(smtp.port)
        client.ehlo()
        time.sleep(0.004)  # less than its thread waits for it
        client.send(b"MAIL FROM:<sender@example.net>\r\n")
        return client

    busy = threading.Thread(target=keep_busy)
    busy.start()
    try:
        with crowd(CLIENTS, begin) as clients:
            check_prompt(other)
            stall.unlink()
            for client in clients:
                client.reply().expect(250)
    finally:
        is_over.set()
        busy.join()


@pytest.mark.parametrize("at", ["mail", "rcpt", "queue"])
def test_a_back_end_at_a_standstill(server, stall, at):
    smtp = stalling_host(server, stall, at)
    other = server.smtp(name="other.example.com")
    server.start()

    def begin(number):
        client = Client(smtp.port)
        client.ehlo()
        client.send(b"MAIL FROM:<sender@example.net>\r\n" if at == "mail" else b"MAIL FROM:<sender@example.net>\r\nRCPT TO:<user@example.com>\r\n")
        if at == "queue":
            client.replies(2)
            client.command("DATA", 354)
            client.send(MESSAGE + b".\r\n")
        return client

    with crowd(CLIENTS, begin) as clients:
        check_prompt(other)
        with Client(smtp.port) as client:  # is greeted at the same host, too
            client.ehlo()
        stall.unlink()
        for client in clients:
            for reply in client.replies(2 if at == "rcpt" else 1):
                reply.expect(250)
    if at == "queue":
        assert len(smtp.maildir.new()) == CLIENTS


def test_tasks_at_a_standstill(server, stall):
    """Three tasks for each message, with fewer places than that: they run side by side, and the sessions of others
    go on."""
    smtp = stalling_host(server, stall, "task", "concurrency=6")
    other = server.smtp(name="other.example.com")
    server.start()

    with crowd(CLIENTS, lambda number: begin_message(smtp.port)) as clients:
        check_prompt(other)
        stall.unlink()
        for client in clients:
            client.reply().expect(250)
    assert len(smtp.maildir.new()) == CLIENTS
    assert server.log_text().count("stalls: task three has read") == CLIENTS


def test_a_task_that_takes_too_long(server, stall):
    """The server defers the message in time; the running task learns that no session waits for it, and frees its
    place."""
    smtp = server.smtp(f'SmtpPlugin stalls "{stall}" at=task deadline=1s concurrency=1\n{DEFAULT_PLUGINS}', f'SmtpPluginDir "{HELPERS}"')
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        for _ in range(3):
            began = time.monotonic()
            client.deliver(MESSAGE).expect(452, text="one: it did not end in time")
            assert 0.8 < time.monotonic() - began < 1 + PROMPT * SLOWDOWN
        stall.unlink()
        client.deliver(MESSAGE).expect(250)


BIG = HEADER + b"a line of a message that is larger than a stream may lag\r\n" * 20_000


def test_streams_at_a_standstill(server, stall):
    """The octets of messages go to a back end that accepts none: the server stops reading from their clients, and
    serves others."""
    smtp = stalling_host(server, stall, "stream", "concurrency=8")
    other = server.smtp(name="other.example.com")
    server.start()

    def begin(number):
        client = begin_message(smtp.port, b"")
        client.socket.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            client.socket.sendall(BIG)
        client.socket.settimeout(20 * SLOWDOWN)
        return client

    with crowd(12, begin) as clients:
        for _ in range(3):
            check_prompt(other)
        assert all(client.is_silent_for(0.001) for client in clients)


def test_a_stream_that_lags(server, stall):
    """All octets come to it, in the end."""
    smtp = stalling_host(server, stall, "stream")
    server.start()
    with begin_message(smtp.port, b"") as client:
        sender = threading.Thread(target=client.send, args=(BIG + b".\r\n",))
        sender.start()
        assert client.is_silent_for(0.5)
        stall.unlink()
        client.reply().expect(250)
        sender.join()
    check_stored(smtp.maildir.only(), BIG)
    server.wait_log(f"the stream has seen {len(BIG)} octets", 5)


def test_a_stream_that_is_left_behind(server, stall):
    """After the plugin's deadline the server handles the message without it; no part of the message is lost."""
    smtp = server.smtp(f'SmtpPlugin stalls "{stall}" at=stream deadline=1s\n{DEFAULT_PLUGINS}', f'SmtpPluginDir "{HELPERS}"')
    server.start()
    with begin_message(smtp.port, BIG + b".\r\n") as client:
        client.reply().expect(250)
    check_stored(smtp.maildir.only(), BIG)
    server.wait_log("the stream has not seen all of", 5)


def test_sessions_that_cannot_end(server, stall):
    """A hook at the end of a session waits: the client still gets its 221, and other clients their replies."""
    smtp = stalling_host(server, stall, "disconnect")
    other = server.smtp(name="other.example.com")
    server.start()

    def quit_session(number):
        client = Client(smtp.port)
        client.ehlo()
        client.send(b"QUIT\r\n")
        client.reply().expect(221)
        return client

    with crowd(CLIENTS, quit_session) as clients:
        check_prompt(other)
        stall.unlink()
        for client in clients:
            client.expect_close()


def test_limits_are_kept_while_sessions_cannot_end(server, stall):
    """Each session over its time limit gets its 421 at once, although the end of each is delayed."""
    smtp = stalling_host(server, stall, "disconnect", lines="SmtpSessionTimeout 2s")
    server.start()
    with crowd(CLIENTS, lambda number: Client(smtp.port)) as clients:
        began = time.monotonic()
        for client in clients:
            client.reply().expect(421, "4.4.2")
        assert time.monotonic() - began < 2 + (1 + PROMPT) * SLOWDOWN
        stall.unlink()
        for client in clients:
            client.expect_close()


def test_another_session_while_one_is_stuck(server, stall):
    """Even if a plugin does not declare that it waits: the polling thread is stuck in it, and another thread serves
    the client of that thread."""
    smtp = stalling_host(server, stall, "mail", "declared=no")
    server.start()
    for _ in range(5):
        stall.write_text("")
        with Client(smtp.port) as first, Client(smtp.port) as second, Client(smtp.port) as third:
            for client in (first, second, third):
                client.ehlo()
            second.send(b"MAIL FROM:<sender@example.net>\r\n")
            for _ in range(3):
                time.sleep(0.1)  # longer than a thread waits for its client
                for client in (first, third):
                    began = time.monotonic()
                    client.command("NOOP", 250)
                    assert time.monotonic() - began < PROMPT * SLOWDOWN
            stall.unlink()
            second.reply().expect(250)


def test_clients_that_send_ahead_of_a_silent_name_server(server, silent_name_server):
    """More than the server keeps: it stops reading their sockets, and no thread waits for that."""
    smtp = server.smtp(f"SmtpPlugin resolvable_fromhost\n{DEFAULT_PLUGINS}", f"SmtpResolver 127.0.0.1:{silent_name_server} timeout=30s")
    other = server.smtp(name="other.example.com")
    server.start()

    def send_ahead(number):
        client = Client(smtp.port)
        client.ehlo()
        client.send(f"MAIL FROM:<sender@name{number}.example>\r\n".encode())
        client.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.socket.send(b"NOOP\r\n" * 22_000)
        client.socket.settimeout(20)
        return client

    with crowd(CLIENTS, send_ahead):
        for _ in range(3):
            check_prompt(other)
        cpu = cpu_time(server)
        time.sleep(1)
        assert cpu_time(server) - cpu < 0.5, "somebody asks over and over whether they may be read"


def test_all_that_was_sent_ahead_is_answered(server, stall):
    smtp = stalling_host(server, stall, "mail")
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.send(b"MAIL FROM:<sender@example.net>\r\n")
        count = 40_000
        sender = threading.Thread(target=client.send, args=(b"RCPT TO:<user@example.com>\r\n" + b"RSET\r\n" * count + b"QUIT\r\n",))
        sender.start()
        assert client.is_silent_for(0.5)
        stall.unlink()
        assert [reply.code for reply in client.replies(2)] == [250, 250]
        last = [reply.code for reply in client.remaining_replies()]
        sender.join()
    assert set(last[:-1]) <= {250, 421} and last[-1] in (221, 421)


def connect_without_reading(port, context):
    """A client with a small window that sends a lot and reads nothing."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.settimeout(20)
    raw.connect(("127.0.0.1", port))
    client = context.wrap_socket(raw, server_hostname="localhost") if context else raw
    client.recv(1000)
    client.sendall(b"EHLO client.example\r\n")
    client.recv(10_000)
    client.settimeout(0.3)
    with contextlib.suppress(TimeoutError, ssl.SSLWantWriteError):
        for _ in range(100):
            client.sendall(b"HELP\r\n" * 5000)
    return client


@pytest.mark.parametrize("is_encrypted", [False, True], ids=["clear", "tls"])
def test_clients_that_do_not_read(make_server, tmp_path, is_encrypted):
    lines = "SmtpMaxErrors 0\nTimeout 8"
    context = None
    modules = []
    if is_encrypted:
        authority = certificates.Authority(tmp_path)
        lines += "\n" + certificates.lines(authority.issue("mx.example.com"))
        context = ssl.create_default_context(cafile=str(authority.certificate))
        context.check_hostname = False
        modules = ["ssl"]
    server = make_server("event", threads=THREADS, modules=modules, main="SendBufferSize 8192\n" + ("SSLSessionCache none" if is_encrypted else ""))
    server.allow_log(r"AH01873")  # no cache of sessions
    smtp = server.smtp(lines=lines)
    other = server.smtp(name="other.example.com")
    server.start()
    with crowd(3 * THREADS, lambda number: connect_without_reading(smtp.port, context)):
        for _ in range(3):
            check_prompt(other)
        # And they do not stay for good.
        wait_until(lambda: connections_to(smtp.port) == 0, 40, "clients that do not read are still connected")


def test_a_locked_store(server):
    """Another process has the lock on the file: a client that needs it waits, and the server serves it when the lock
    is free."""
    state = server.work / "state"
    server.make_writable(state)
    store = f'SmtpStore "file:{state}/store" timeout=30s'
    smtp = server.smtp(f"SmtpPlugin limit what=connections max=100000 time=1h\nSmtpPlugin karma reject=no\n{DEFAULT_PLUGINS}", store)
    other = server.smtp(name="other.example.com")
    server.start()
    check_prompt(smtp)  # makes the file
    with contextlib.closing(sqlite3.connect(state / "store", isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        with crowd(CLIENTS, lambda number: Client(smtp.port, greet=False)) as clients:
            for _ in range(3):
                check_prompt(other)
            assert all(client.is_silent_for(0.001) for client in clients)
            database.execute("COMMIT")
            for client in clients:
                client.reply().expect(220)
    assert not re.search(r"(limit|karma): error", server.log_text())
    wait_until(lambda: connections_to(smtp.port) == 0, 60, "sessions are still there")
    check_prompt(smtp)


def test_a_stop_while_back_ends_stand_still(server, stall):
    """No accepted mail is lost, and the server ends."""
    smtp = stalling_host(server, stall, "queue")
    server.start()
    with begin_message(smtp.port) as client:
        time.sleep(0.3)
        stopping = threading.Thread(target=server.graceful_stop)
        stopping.start()
        time.sleep(0.5)
        stall.unlink()
        client.reply().expect(250)
        with contextlib.suppress(Closed):
            client.reply().expect(421)
        stopping.join()
    check_stored(smtp.maildir.only(), MESSAGE)

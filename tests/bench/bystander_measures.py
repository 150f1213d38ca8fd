"""How much clients, back ends and disks that hang slow down other clients. One unaffected client queues a message
again and again: on an idle server, and then beside a crowd. The rows show the difference."""

import contextlib
import itertools
import socket
import sqlite3
import statistics
import textwrap
import time

from measures import DISCARD, Row
from servers import ADDRESS, BenchError, ModSmtpd, free_port

CROWD = 500
READERS = 100
PROBES = 200
DIALOGUE = ((b"EHLO client.example\r\n", b"250"), (b"MAIL FROM:<sender@example.net>\r\n", b"250"), (b"RCPT TO:<user@example.com>\r\n", b"250"),
            (b"DATA\r\n", b"354"), (b"From: sender@example.net\r\n\r\ntext\r\n.\r\n", b"250"), (b"QUIT\r\n", b"221"))


class WithBystander(ModSmtpd):
    """One child with 64 threads, and a second virtual host, which queues messages and has no other plugin."""

    def __init__(self, base, build, plugins):
        super().__init__(base, build, plugins, children=1, factor=256)
        self.bystander = free_port()

    def configuration(self):
        return super().configuration() + textwrap.dedent(f"""\
            Listen {ADDRESS}:{self.bystander} smtp
            <VirtualHost {ADDRESS}:{self.bystander}>
            ServerName other.example.com
            SmtpEngine on
            SmtpSpoolDir {self.folder}/spool
            SmtpControlDir {self.folder}/control
            SmtpPluginDir {self.build["plugin_dir"]}
            """) + "\n".join(DISCARD) + "\n</VirtualHost>\n"


def say(client, line, code):
    if line:
        client.sendall(line)
    reply = client.recv(4096)
    if not reply.startswith(code):
        raise BenchError(f"{reply!r} instead of {code.decode()}")


def message_time(port):
    """Milliseconds from the connection to the end of a session that has queued a message."""
    began = time.monotonic()
    with socket.create_connection((ADDRESS, port), timeout=60) as client:
        say(client, b"", b"220")
        for line, code in DIALOGUE:
            say(client, line, code)
    return (time.monotonic() - began) * 1000


def probe(port):
    times = sorted(message_time(port) for _ in range(PROBES))
    return {"median": statistics.median(times), "p99": times[len(times) * 99 // 100]}


def waiting_client(port, *lines):
    """A client that has sent these lines, and waits for the last reply; without lines, for the greeting."""
    client = socket.create_connection((ADDRESS, port), timeout=60)
    if lines:
        client.recv(1000)
    for line in lines[:-1]:
        client.sendall(line)
        client.recv(4096)
    if lines:
        client.sendall(lines[-1])
    return client


def beside(bench, title, plugins, make, *, count=CROWD, stall=None, own_host=False):
    """`make(port)` returns a client of the crowd. `stall(server)` is a context in which something hangs. `own_host`:
    the bystander uses a separate virtual host, because each client of the other one needs what hangs."""
    with WithBystander(bench.base, bench.build, plugins) as ours, contextlib.ExitStack() as stack:
        port = ours.bystander if own_host else ours.port
        probe(port)
        idle = probe(port)
        if stall:
            stack.enter_context(stall(ours))
        for _ in range(count):
            stack.enter_context(contextlib.closing(make(ours.port)))
        ours.settle()  # until all that the crowd has sent is worked off
        found = probe(port)
    return [Row(f"{title}: a message of another client, {key}", f"{found[key]:.1f} ms", f"{idle[key]:.1f} ms idle", found[key] - idle[key], "", must, aim, unit=" ms")
            for key, must, aim in (("median", 20, 5), ("p99", 100, 50))]


@contextlib.contextmanager
def silent(kind):
    """The port of a server that accepts connections, or datagrams, and sends nothing."""
    with socket.socket(socket.AF_INET, kind) as server:
        server.bind((ADDRESS, 0))
        if kind == socket.SOCK_STREAM:
            server.listen(1024)
        yield server.getsockname()[1]


def logins(bench):
    with silent(socket.SOCK_STREAM) as port:
        plugins = ["SmtpAuthWithoutTLS on", f"SmtpPlugin auth/auth_vpopmaild host={ADDRESS} port={port} timeout=50s", *DISCARD]
        return beside(bench, f"{CROWD} clients log in, and the back end is silent", plugins,
                      lambda target: waiting_client(target, b"EHLO client.example\r\n", b"AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n"))


def names(bench):
    number = itertools.count()
    with silent(socket.SOCK_DGRAM) as port:
        plugins = [f"SmtpResolver {ADDRESS}:{port} timeout=50s", "SmtpPlugin resolvable_fromhost reject=no", *DISCARD]
        return beside(bench, f"{CROWD} clients wait for a silent name server", plugins,
                      lambda target: waiting_client(target, b"EHLO client.example\r\n", b"MAIL FROM:<sender@name%d.example>\r\n" % next(number)), own_host=True)


@contextlib.contextmanager
def locked_store(server):
    with contextlib.closing(sqlite3.connect(server.folder / "maildir" / "store", isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield


def store(bench):
    plugins = ['SmtpStore "file:@folder@/maildir/store" timeout=30s', "SmtpPlugin limit what=connections max=1000000 time=1h", *DISCARD]
    return beside(bench, f"{CROWD} clients wait for a store that another process has locked", plugins, waiting_client, stall=locked_store, own_host=True)


def queue(bench):
    def begin(port):
        return waiting_client(port, *(line for line, _ in DIALOGUE[:-1]))

    @contextlib.contextmanager
    def standstill(server):
        file = server.folder / "maildir" / "stall"
        file.write_text("")
        try:
            yield
        finally:
            file.unlink()

    plugins = [f'SmtpPluginDir "{bench.build["build_dir"]}/tests/helper_plugins/.libs"', 'SmtpPlugin stalls "@folder@/maildir/stall" at=queue deadline=50s', *DISCARD]
    return beside(bench, f"{CROWD} messages wait for a queue that stands still", plugins, begin, stall=standstill, own_host=True)


def readers(bench):
    def make(port):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(0.1)
        client.connect((ADDRESS, port))
        with contextlib.suppress(TimeoutError):
            for _ in range(50):
                client.sendall(b"HELP\r\n" * 5000)
        return client

    return beside(bench, f"{READERS} clients read none of their replies", ["SmtpMaxErrors 0", *DISCARD], make, count=READERS)


ALL = {"logins": logins, "names": names, "store": store, "queue": queue, "readers": readers}

"""The limit of open files: the server raises it if allowed; if it is too low, the server refuses clients in time,
and httpd stays up."""

import pathlib
import re
import resource
import selectors
import socket
import time

import pytest

import smtpd_env
from smtp_client import Client

CROWD = 2400
#: A process with 16 threads may have 16 * (1 + 256) connections, as the configuration of these servers says.
POSSIBLE = 4112
BEGINNING = b"HELO client.example.net\r\nMAIL FROM:<sender@example.net>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n"
WARNING = rf"SMTPD0073: .*a process may have {POSSIBLE} connections"


@pytest.fixture(autouse=True)
def descriptors_of_our_own():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < CROWD + 200:
        pytest.skip(f"this process may not have {CROWD} connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, CROWD + 200), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Crowd:
    """Many clients that connect, read the reply, and do nothing more."""

    def __init__(self, port, number):
        self.sockets = []
        self.told = {}
        with selectors.DefaultSelector() as selector:
            for _ in range(number):
                self.sockets.append(socket.create_connection(("127.0.0.1", port), timeout=20 * smtpd_env.SLOWDOWN))
                selector.register(self.sockets[-1], selectors.EVENT_READ)
                self.read(selector, 0)
            end = time.monotonic() + 30 * smtpd_env.SLOWDOWN
            while len(self.told) < number and time.monotonic() < end:
                self.read(selector, 0.1)

    def read(self, selector, seconds):
        for key, _ in selector.select(seconds):
            self.told[key.fileobj] = key.fileobj.recv(1000).decode()
            selector.unregister(key.fileobj)

    def number(self, start):
        return sum(text.startswith(start) for text in self.told.values())

    def close(self):
        for client in self.sockets:
            client.close()


def soft_limit(pid):
    return int(re.search(r"^Max open files\s+(\d+)", pathlib.Path(f"/proc/{pid}/limits").read_text(), re.M)[1])


def limited_server(make_server, limit, mpm="event", **options):
    return make_server(mpm, prefix=["prlimit", f"--nofile={limit}"], **options)


@pytest.mark.parametrize("children", [1, 2])
def test_more_clients_than_descriptors(make_server, children):
    """Without a reserve, accept() fails in the children, which end, and httpd ends with the last of them."""
    server = limited_server(make_server, "1024:1024", children=children)
    smtp = server.smtp(lines="SmtpSpoolThreshold 0")
    server.expect_log(WARNING)
    server.expect_log("SMTPD0074: this process has no descriptors left for clients and answers 421: 1 so far")
    server.start()
    before = server.children()
    crowd = Crowd(smtp.port, CROWD)
    try:
        assert len(crowd.told) == CROWD
        greeted, refused = crowd.number("220 "), crowd.number("421 4.3.2 Too many connections, try again later\r\n")
        assert greeted + refused == CROWD
        # clients share the descriptors below 848 with what httpd has open
        assert 784 * children <= greeted <= 848 * children
        assert server.children() == before, "a child has ended"
        # those that are in go on, with a file for their message
        inside = next(client for client, text in crowd.told.items() if text.startswith("220 "))
        inside.sendall(BEGINNING)
        inside.sendall(b"Subject: x\r\n\r\nspooled\r\n.\r\nQUIT\r\n")
        text = b""
        while piece := inside.recv(4000):
            text += piece
        assert re.search(rb"^250 .*\r\n221 ", text, re.M), text
        assert len(smtp.maildir.stored()) == 1
    finally:
        crowd.close()

    def is_greeted():
        with socket.create_connection(("127.0.0.1", smtp.port), timeout=20 * smtpd_env.SLOWDOWN) as client:
            return client.recv(1000).startswith(b"220 ")
    smtpd_env.wait_until(is_greeted, 15, "nobody is greeted, although all have gone")
    assert server.children() == before


def test_the_limit_is_raised(make_server):
    server = limited_server(make_server, "1024:15000")
    smtp = server.smtp()
    server.start()
    child, = server.children()
    assert soft_limit(server.process.pid) == 1024
    smtpd_env.wait_until(lambda: POSSIBLE < soft_limit(child) < 15000, 10, "the child has not raised its limit")
    crowd = Crowd(smtp.port, 1200)
    try:
        assert crowd.number("220 ") == 1200
    finally:
        crowd.close()
    # httpd stumbles when it is told to stop while it closes connections, see Httpd.stop().
    smtpd_env.wait_until(lambda: smtpd_env.connections_to(smtp.port) == 0, 20, "connections are not closed")


def test_no_more_than_is_needed(make_server, mpm):
    """Programs that plugins start inherit the limit, and some close everything up to it."""
    server = limited_server(make_server, "3000:15000", mpm, main="" if mpm != "event" else "AsyncRequestWorkerFactor 1")
    smtp = server.smtp()
    server.start()
    assert {soft_limit(child) for child in server.children()} == {3000}
    with Client(smtp.port) as client:
        client.ehlo()
        client.quit()


def test_configtest_warns_with_the_place(make_server):
    server = limited_server(make_server, "1024:1024")
    server.smtp()
    good, text = server.configtest()
    assert good
    line = server.config_file.read_text().splitlines().index("AsyncRequestWorkerFactor 256") + 1
    assert (f"SMTPD0073: {server.config_file}:{line}: a process may have {POSSIBLE} connections "
            "(16 threads, AsyncRequestWorkerFactor)") in text
    assert re.search(r"but the limit is 1024 \(.*\): it allows about 784 connections, ", text)


def test_configtest_counts_what_the_directives_permit(make_server):
    server = limited_server(make_server, "1024:1024")
    server.smtp(lines="SmtpMaxConnections 500")
    server.smtp(lines="SmtpMaxConnections 200", name="second.example.com")
    good, text = server.configtest()
    assert good and "SMTPD0073" not in text


def test_a_message_without_a_descriptor_is_put_off(make_server):
    """Files for messages leave the listener its share: their clients are deferred."""
    server = limited_server(make_server, "256:256", threads=4)
    smtp = server.smtp(lines="SmtpSpoolThreshold 0\nSmtpMaxErrors 0")
    server.allow_log(r"SMTPD0073: ")
    server.allow_log(r"SMTPD0074: ")
    server.expect_log(r"cannot create a spool file in .*: Too many open files")
    server.start()
    crowd = Crowd(smtp.port, 300)
    try:
        inside = [client for client, text in crowd.told.items() if text.startswith("220 ")]
        for client in inside:
            client.sendall(BEGINNING)
        for client in inside:
            text = b""
            while b"\r\n354 " not in text:
                piece = client.recv(4000)
                assert piece, "the server has closed the connection"
                text += piece
            client.sendall(b"Subject: x\r\n\r\nbegins\r\n")
        time.sleep(0.5)  # all of them have a file, or none left
        told = []
        for client in inside:
            client.sendall(b".\r\n")
            told.append(client.recv(1000)[:3])
        assert set(told) == {b"250", b"451"}
        assert len(smtp.maildir.stored()) == told.count(b"250")
        assert len(server.children()) == 1
    finally:
        crowd.close()

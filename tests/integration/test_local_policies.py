"""Policies that ask neither the DNS nor the store: lists of recipients, the load, p0f, qmail-deliverabled. The tests
control fake back ends."""

import struct
import time

import pytest

from daemon import Daemon, p0f_reply
from smtp_client import Client
from smtpd_env import SLOWDOWN, wait_until

TAIL = """
    SmtpPlugin rcpt_ok
    SmtpPlugin queue/maildir "@maildir@"
"""


@pytest.fixture
def daemon():
    """Makes daemons that end with the test."""
    daemons = []

    def make(path, answer):
        daemons.append(Daemon(path, answer))
        return daemons[-1]

    yield make
    for one in daemons:
        one.close()


def answers(smtp, *recipients, sender="sender@example.net"):
    """The replies for these recipients."""
    with Client(smtp.port) as client:
        client.ehlo()
        client.command(f"MAIL FROM:<{sender}>", 250)
        return [str(client.command(f"RCPT TO:<{recipient}>").raw, "ascii")[:-2] for recipient in recipients]


def becomes(condition, what):
    wait_until(condition, 10, what, interval=0.2)


# --- lists of recipients

def test_rcpt_map_and_rcpt_regexp(make_server, mpm):
    server = make_server(mpm)
    smtp = server.smtp('SmtpPlugin rcpt_regexp\nSmtpPlugin rcpt_map domain=example.com file=users' + TAIL, control={
        "rcpt_regexp": "/^list-.*@example\\.com$/ OK\n/^old@/ DENY Gone for good\n",
        "users": "user@example.com    DECLINED\nbusy@example.com    DENYSOFT   Being moved\n"})
    server.start()
    assert answers(smtp, "user@example.com", "list-x@example.com", "old@example.com", "busy@example.com", "nobody@example.com", "x@example.org") == [
        "250 2.1.5 <user@example.com>, recipient OK", "250 2.1.5 <list-x@example.com>, recipient OK", "550 5.7.1 Gone for good", "450 4.1.1 Being moved",
        "550 5.1.1 No such user", "550 5.7.1 Relaying denied"]


def test_a_map_outside_the_control_directory_is_read_again(make_server):
    server = make_server("event")
    users = server.root / "users"
    users.write_text("user@example.com OK\n")
    smtp = server.smtp(f"SmtpPlugin rcpt_map domain example.com file {users}" + TAIL)
    server.start()
    assert answers(smtp, "new@example.com")[0].startswith("550 5.1.1")
    users.write_text("user@example.com OK\nnew@example.com OK\n")
    becomes(lambda: answers(smtp, "new@example.com")[0].startswith("250"), "the new user is not known")
    server.expect_log("users is empty; the previous content stays in use until")
    users.write_text("")
    becomes(lambda: answers(smtp, "new@example.com") and "users is empty" in server.log_text(), "the empty file is not noticed")
    assert answers(smtp, "new@example.com")[0].startswith("250")


# --- the load

def test_loadcheck(make_server, mpm):
    server = make_server(mpm)
    load = server.root / "loadavg"
    load.write_text("0.1 0.2 0.3 1/100 4711\n")
    smtp = server.smtp(f"SmtpPlugin loadcheck max_load=5 cache_time=0 file={load}" + TAIL)
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
    load.write_text("5.1 0.2 0.3 1/100 4711\n")
    with Client(smtp.port, greet=False) as client:
        client.reply().expect(450, "4.3.2", "too busy")
        client.expect_close()


# --- p0f

def p0f(path, daemon, reply):
    return daemon(path, lambda request: reply() if len(request) >= 21 else None)


def test_p0f(make_server, daemon, mpm):
    server = make_server(mpm)
    smtp = server.smtp("SmtpPlugin ident/p0f @root@/p0f.sock" + TAIL, control={"p0f_blocked_operating_systems": "/windows (95|98)/\n"})
    flavors = {"now": b"XP"}
    fake = p0f(server.root / "p0f.sock", daemon, lambda: p0f_reply(flavor=flavors["now"]))
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(b"From: sender@example.net\r\nX-P0F-Genre: forged\r\n\r\ntext\r\n").expect(250)
    raw = smtp.maildir.only().raw
    assert raw.count(b"X-P0F-Genre: Windows XP") == 1 and b"X-P0F-Link-Type: DSL" in raw and b"forged" not in raw
    assert fake.requests == [struct.pack("=IB", 0x50304601, 4) + b"\x7f\0\0\1" + bytes(12)]
    flavors["now"] = b"98"
    assert answers(smtp, "user@example.com") == ["550 5.7.1 OS Blocked"]


def test_p0f_in_trouble_keeps_nobody_out(make_server, daemon):
    """Silence, and a socket without a listener: mail flows on."""
    server = make_server("event")
    smtp = server.smtp("SmtpPlugin ident/p0f @root@/p0f.sock timeout=300ms" + TAIL)
    server.start()
    assert answers(smtp, "user@example.com")[0].startswith("250")
    server.wait_log(r"\(connect\) ident/p0f: error: cannot connect to .*p0f.sock: No such file")
    p0f(server.root / "p0f.sock", daemon, lambda: Daemon.SILENCE)
    begin = time.monotonic()
    assert answers(smtp, "user@example.com")[0].startswith("250")
    assert 0.25 < time.monotonic() - begin < 5 * SLOWDOWN
    server.wait_log(r"\(connect\) ident/p0f: error: .*p0f.sock did not answer within [0-9]+ ms")


def test_silent_p0f_does_not_stop_other_clients(make_server, daemon):
    """More simultaneous clients than threads, each waiting for p0f: the server serves all of them, and loses none."""
    server = make_server("event", threads=4)
    smtp = server.smtp("SmtpPlugin ident/p0f @root@/p0f.sock timeout=200ms" + TAIL)
    p0f(server.root / "p0f.sock", daemon, lambda: Daemon.SILENCE)
    server.start()
    clients = [Client(smtp.port, greet=False) for _ in range(12)]
    for client in clients:
        client.reply().expect(220)
        client.command("QUIT", 221)
        client.close()


# --- qmail-deliverabled

def test_qmail_deliverable(make_server, daemon, mpm):
    """Yes, no, cannot tell; and the plugin asks a silent server once, not for every client."""
    statuses = {b"yes": b"241", b"no": b"0", b"unknown": b"17"}

    def answer(request):
        if not request.endswith(b"\r\n\r\n"):
            return None
        user = request.split(b"?")[1].split(b"%40")[0]
        return Daemon.SILENCE if user == b"silent" else b"HTTP/1.0 200 OK\r\n\r\n" + statuses[user]

    server = make_server(mpm)
    fake = daemon(None, answer)
    smtp = server.smtp(f"SmtpPlugin qmail_deliverable server=127.0.0.1:{fake.port} timeout=300ms" + TAIL)
    server.expect_log(rf"qmail_deliverable: SMTPD0088: 127.0.0.1:{fake.port} failed 1 times in a row and is not asked for \d+ s: .* did not answer within [0-9]+ ms")
    server.start()
    assert [reply[:9] for reply in answers(smtp, "yes@example.com", "no@example.com", "unknown@example.com")] == ["250 2.1.5", "550 5.1.1", "250 2.1.5"]
    begin = time.monotonic()
    assert [reply[:9] for reply in answers(smtp, *["silent@example.com"] * 20)] == ["250 2.1.5"] * 20
    assert 0.25 < time.monotonic() - begin < 4 * SLOWDOWN, "one time-out, not twenty"
    server.wait_log(r"qmail_deliverable: error: 127.0.0.1 did not answer a moment ago")


def test_qmail_deliverable_that_is_down_can_mean_later(make_server, daemon):
    server = make_server("event")
    fake = daemon(None, lambda request: None)
    fake.close()
    smtp = server.smtp(f"SmtpPlugin qmail_deliverable server=127.0.0.1:{fake.port} onerror=tempfail" + TAIL)
    server.expect_log("SMTPD0088: .*Connection refused")
    server.start()
    assert answers(smtp, "user@example.com")[0].startswith("451 4.3.0")


# --- logging/adaptive

def test_adaptive_log(make_server, mpm):
    """What a session logs goes to standard error again when its message is accepted, and not when it is refused."""
    server = make_server(mpm)
    smtp = server.smtp("SmtpPlugin logging/adaptive accept=debug reject=crit prefix=+\nSmtpPlugin badrcptto" + TAIL, control={"badrcptto": "bad@example.com\n"})
    server.allow_log(r"^\d+ \+\[")
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.command("MAIL FROM:<sender@example.net>", 250)
        client.command("RCPT TO:<bad@example.com>", 550)
        client.command("RSET", 250)
        client.deliver(b"From: sender@example.net\r\n\r\ntext\r\n").expect(250)
        client.quit()

    def written():
        return [line.raw for line in server.log_lines() if " +[" in line.raw]
    wait_until(lambda: any("badrcptto: pass" in line for line in written()), 10, "nothing was written again")
    assert not any("bad@example.com" in line for line in written())

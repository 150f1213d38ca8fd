"""The server notices changed control files within a second or two; an invalid file leaves the old content in place."""

import struct
import time

import pytest

from smtp_client import Client
from smtpd_env import wait_until

HEADER = b"From: sender@example.net\r\nSubject: control\r\n\r\n"

#: Seconds after which a file that is missing, or has lost lines, counts; and some more.
SETTLING = 15 + 5

PLUGINS = """
    SmtpPlugin relay
    SmtpPlugin badmailfrom
    SmtpPlugin badrcptto
    SmtpPlugin rcpt_ok
    SmtpPlugin queue/maildir "@maildir@"
"""


def answer(smtp, recipient, sender="sender@example.net", source=None):
    """The code of RCPT, or of MAIL if the server refuses that."""
    with Client(smtp.port, source=source) as client:
        client.ehlo()
        mail = client.command(f"MAIL FROM:<{sender}>")
        return mail.code if mail.code != 250 else client.command(f"RCPT TO:<{recipient}>").code


def becomes(smtp, code, *arguments, seconds=5, **named):
    wait_until(lambda: answer(smtp, *arguments, **named) == code, seconds, f"{arguments} {named} is not answered with {code}", interval=0.2)


def make_cdb(entries):
    """A constant database (D. J. Bernstein's format): 256 tables of (hash, position) after the records."""
    body = bytearray(2048)
    tables = [[] for _ in range(256)]
    for key, value in entries.items():
        hash_value = 5381
        for octet in key:
            hash_value = (((hash_value << 5) + hash_value) ^ octet) & 0xFFFFFFFF
        tables[hash_value & 255].append((hash_value, len(body)))
        body += struct.pack("<II", len(key), len(value)) + key + value
    header = b""
    for table in tables:
        slots = [(0, 0)] * (2 * len(table))
        for hash_value, place in table:
            at = (hash_value >> 8) % len(slots)
            while slots[at][1]:
                at = (at + 1) % len(slots)
            slots[at] = (hash_value, place)
        header += struct.pack("<II", len(body), len(slots))
        body += b"".join(struct.pack("<II", *slot) for slot in slots)
    body[:2048] = header
    return bytes(body)


def test_change_is_noticed(make_server, mpm):
    server = make_server(mpm, children=2, threads=4)
    smtp = server.smtp(PLUGINS)
    server.start()
    assert answer(smtp, "user@example.com") == 250
    assert answer(smtp, "user@example.org") == 550
    smtp.set_control("rcpthosts", "example.org\n")
    becomes(smtp, 250, "user@example.org")
    becomes(smtp, 550, "user@example.com")
    time.sleep(1.5)  # by now every child has had a look
    assert {answer(smtp, "user@example.org") for _ in range(12)} == {250}
    assert {answer(smtp, "user@example.com") for _ in range(12)} == {550}


def test_a_session_that_is_open_sees_the_change(make_server):
    server = make_server("event")
    smtp = server.smtp(PLUGINS)
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.command("MAIL FROM:<sender@example.net>", 250)
        client.command("RCPT TO:<user@example.org>", 550)
        smtp.set_control("rcpthosts", "example.com\nexample.org\n")
        wait_until(lambda: client.command("RCPT TO:<user@example.org>").code == 250, 5, "the change is not seen", interval=0.5)


def test_change_in_place(make_server):
    """The test writes into the file, with the same size, within a second of the last change. A line is lost, so the
    change takes effect later."""
    server = make_server("event")
    server.expect_log("/badrcptto has lost lines while it was written in place")
    smtp = server.smtp(PLUGINS, control={"badrcptto": "one@example.com\n"})
    server.start()
    assert answer(smtp, "one@example.com") == 550
    (smtp.control / "badrcptto").write_text("two@example.com\n")
    becomes(smtp, 550, "two@example.com", seconds=SETTLING)
    becomes(smtp, 250, "one@example.com")


def test_file_that_appears_and_disappears(make_server):
    server = make_server("event")
    server.expect_log("/badmailfrom is missing")
    smtp = server.smtp(PLUGINS)
    server.start()
    assert answer(smtp, "user@example.com", sender="spam@example.net") == 250
    smtp.set_control("badmailfrom", "spam@example.net\n")
    becomes(smtp, 550, "user@example.com", sender="spam@example.net")
    (smtp.control / "badmailfrom").unlink()
    becomes(smtp, 250, "user@example.com", sender="spam@example.net", seconds=SETTLING)


def test_included_file(make_server):
    server = make_server("event")
    smtp = server.smtp(PLUGINS, control={"badmailfrom": "$include spammers\n", "spammers": "one@example.net\n"})
    server.start()
    assert answer(smtp, "user@example.com", sender="one@example.net") == 550
    smtp.set_control("spammers", "two@example.net\n")
    becomes(smtp, 550, "user@example.com", sender="two@example.net")
    becomes(smtp, 250, "user@example.com", sender="one@example.net")


def test_cdb(make_server):
    server = make_server("event")
    smtp = server.smtp(PLUGINS)
    path = smtp.control / "morercpthosts.cdb"
    path.write_bytes(make_cdb({b"many.example": b"", b".below.example": b""}))
    path.chmod(0o644)
    server.start()
    assert answer(smtp, "user@many.example") == 250
    assert answer(smtp, "user@a.below.example") == 250
    assert answer(smtp, "user@other.example") == 550
    fresh = path.with_suffix(".tmp")
    fresh.write_bytes(make_cdb({b"other.example": b""}))
    fresh.chmod(0o644)
    fresh.rename(path)
    becomes(smtp, 250, "user@other.example")
    becomes(smtp, 550, "user@many.example")


@pytest.mark.parametrize("broken", ["/unclosed(/ x\n", "$include badmailfrom\n", "$include /no/such/file\n"])
def test_a_broken_file_leaves_the_old_content_with_a_warning(make_server, broken):
    server = make_server("event")
    server.expect_log(r":warn\].*badmailfrom")
    smtp = server.smtp(PLUGINS, control={"badmailfrom": "spam@example.net\n"})
    server.start()
    assert answer(smtp, "user@example.com", sender="spam@example.net") == 550
    smtp.set_control("badmailfrom", broken)
    time.sleep(1.2)
    for _ in range(3):
        assert answer(smtp, "user@example.com", sender="spam@example.net") == 550
        time.sleep(0.5)
    assert len(server.wait_log(r":warn\].*badmailfrom")) == 1, "one warning for one change"
    smtp.set_control("badmailfrom", "other@example.net\n")
    becomes(smtp, 550, "user@example.com", sender="other@example.net")
    becomes(smtp, 250, "user@example.com", sender="spam@example.net")


def test_unreadable_file(make_server):
    server = make_server("event")
    if not server.user:
        pytest.skip("the server's children are who owns the files")
    server.expect_log(r":warn\].*badmailfrom.*[Pp]ermission")
    smtp = server.smtp(PLUGINS, control={"badmailfrom": "spam@example.net\n"})
    server.start()
    assert answer(smtp, "user@example.com", sender="spam@example.net") == 550
    fresh = smtp.control / "fresh"
    fresh.write_text("other@example.net\n")
    fresh.chmod(0o600)
    fresh.rename(smtp.control / "badmailfrom")
    for _ in range(4):
        time.sleep(0.5)
        assert answer(smtp, "user@example.com", sender="spam@example.net") == 550


def test_relay_clients(make_server):
    server = make_server("event")
    smtp = server.smtp(PLUGINS)
    server.start()
    assert answer(smtp, "user@elsewhere.example") == 550
    smtp.set_control("relayclients", "127.0.0.0/8\n")
    becomes(smtp, 250, "user@elsewhere.example")
    smtp.set_control("norelayclients", "127.0.0.3\n")
    becomes(smtp, 550, "user@elsewhere.example", source="127.0.0.3")
    assert answer(smtp, "user@elsewhere.example") == 250


def test_greeting_and_size_from_control_files(make_server):
    server = make_server("event")
    smtp = server.smtp(PLUGINS, control={"smtpgreeting": "mail.example.com hello\n", "databytes": "5000\n", "me": "mail.example.com\n"})
    server.start()
    with Client(smtp.port) as client:
        assert client.greeting.text.startswith("mail.example.com hello ESMTP ")
        reply = client.ehlo()
        assert reply.lines[0].startswith("mail.example.com ") and "SIZE 5000" in reply.lines
        client.deliver(HEADER + b"x" * 70 + b"\r\n" * 3000).expect(552, "5.3.4")
        client.deliver(HEADER).expect(250)
    assert "by mail.example.com " in smtp.maildir.only().field("Received")

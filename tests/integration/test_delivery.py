"""Mail of every kind reaches a maildir, octet for octet as sent, with our fields on top."""

import random
import re
import shutil
import smtplib
import subprocess
import email.message
import email.utils

import pytest

import smtpd_env
from maildir import check_stored
from smtp_client import Client
from smtpd_env import SLOWDOWN, resident_memory

HEADER = b"From: sender@example.net\r\nTo: user@example.com\r\nSubject: test\r\nDate: Mon, 06 Nov 2023 10:00:00 +0000\r\n\r\n"


def noise(size, seed=1):
    """Octets without CR, LF and NUL."""
    table = bytes(range(256)).translate(None, b"\0\r\n")
    generator = random.Random(seed)
    return bytes(generator.choices(table, k=size))


MESSAGES = {
    "plain": HEADER + b"Hello\r\n",
    "empty": b"",
    "one empty line": b"\r\n",
    "two empty lines": b"\r\n\r\n",
    "only a header": HEADER[:-2],
    "header and empty body": HEADER,
    "no header": b"just text\r\nand more of it\r\n",
    "no header, with a colon in the text": b"see here: it is\r\ntext\r\n",
    "folded header": b"Subject: one\r\n two\r\n\tthree\r\nFrom: a@example.net\r\n\r\nbody\r\n",
    "header with 8 bits": "Subject: Grüße aus Köln ✉\r\nFrom: a@example.net\r\n\r\nbody\r\n".encode(),
    "mbox line on top": b"From sender@example.net Mon Nov  6 10:00:00 2023\r\n" + HEADER + b"text\r\n",
    "junk in the header": b"Subject: a\r\nthis is no field\r\nFrom: a@example.net\r\n\r\nbody\r\n",
    "8 bits": HEADER + "Füße, 日本語\r\n".encode() + bytes(range(0x80, 0x100)) + b"\r\n",
    "all octets but NUL, CR, LF": HEADER + bytes(sorted(set(range(1, 256)) - {10, 13})) + b"\r\n",
    "dots": HEADER + b".\r\n..\r\n...\r\n.a\r\na.\r\n.\r\n",
    "a dot first of all": b".\r\n",
    "dots first of all": b"..\r\n.x: y\r\n",
    "line of 998": HEADER + b"x" * 998 + b"\r\n",
    "line of 100,000": HEADER + b"x" * 100_000 + b"\r\nend\r\n",
    "line of 1,000,000": HEADER + noise(1_000_000) + b"\r\nend\r\n",
    "10,000 empty lines": HEADER + b"\r\n" * 10_000,
    "10,000 dots": HEADER + b".\r\n" * 10_000,
    "own Received and Return-Path": b"Return-Path: <x@example.org>\r\nDelivered-To: y@example.org\r\nReceived: from a by b; now\r\n" + HEADER + b"b\r\n",
    "around the spool threshold": HEADER + b"y" * 78 + b"\r\n" + b"".join(b"line %06d\r\n" % n for n in range(100_000)),
    "no Subject, spaces at line ends": b"From: a@example.net \r\n\r\nbody \t \r\n \r\n",
    "lines of white space": HEADER + b" \r\n\t\r\n\f\r\n\v\r\n",
}


@pytest.fixture(scope="module", params=smtpd_env.MPMS)
def mail_server(request):
    """A server for many tests, one for each MPM."""
    with smtpd_env.Httpd(request.param) as server:
        server.smtp(lines="SmtpSpoolThreshold 64k\nSmtpMaxMessageSize 80m")
        server.start()
        yield server


@pytest.fixture
def smtp(mail_server):
    host = mail_server.hosts[0]
    host.maildir.clear()
    return host


@pytest.mark.parametrize("name", MESSAGES)
def test_message_is_stored_octet_for_octet(smtp, name):
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(MESSAGES[name]).expect(250, "2.0.0")
        check_stored(smtp.maildir.only(), MESSAGES[name])
        client.quit()
    assert smtp.maildir.tmp() == []


@pytest.mark.parametrize("size", [1, 2, 1021, 4096, 65535, 65536, 65537, 262143, 262144, 262145])
def test_sizes_around_those_of_buffers(smtp, size):
    """The message has exactly that many octets. It cannot be sent without CRLF at its end, so the last two are CRLF."""
    message = (HEADER + b"z" * size)[: size - 2] + b"\r\n" if size > 2 else b"a\r\n"
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(message).expect(250)
        check_stored(smtp.maildir.only(), message)


def test_missing_last_line_end_is_added_by_the_protocol(smtp):
    """A sender cannot send a last line without CRLF: the CRLF in front of the final dot belongs to the message (RFC 5321 4.1.1.4)."""
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(HEADER + b"no line end").expect(250)
        check_stored(smtp.maildir.only(), HEADER + b"no line end\r\n")


def test_nul_is_refused_and_the_session_goes_on(smtp):
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(HEADER + b"a\0b\r\n").expect(554, "5.6.0")
        client.deliver(HEADER + b"fine\r\n").expect(250)
        client.quit()
    check_stored(smtp.maildir.only(), HEADER + b"fine\r\n")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_smtplib(smtp, host):
    if host == "::1" and not smtpd_env.has_ipv6():
        pytest.skip("this machine has no IPv6 loopback address")
    message = email.message.EmailMessage()
    message["From"] = "sender@example.net"
    message["To"] = "user@example.com, other@example.com"
    message["Subject"] = "Grüße"
    message.set_content("Text mit Umlauten: äöü\n.\n..\nend\n")
    with smtplib.SMTP(host, smtp.port, timeout=20, local_hostname="client.example.net") as client:
        client.ehlo()
        assert {"pipelining", "8bitmime", "size", "enhancedstatuscodes", "help"} <= set(client.esmtp_features)
        assert client.send_message(message) == {}
    stored = smtp.maildir.only()
    original = message.as_bytes(policy=email.policy.SMTP)
    fields = check_stored(stored, original, recipients=("user@example.com", "other@example.com"))
    literal = r"\[127\.0\.0\.1\]" if host == "127.0.0.1" else r"\[IPv6:::1\]"
    assert re.match(rf"from client\.example\.net \(.*{literal}\)\s+by mx\.example\.com \(mod_smtpd[^)]*\) with ESMTP id \S+;", fields["received"])
    stamp = fields["received"].rpartition(";")[2]
    assert email.utils.parsedate_to_datetime(stamp.strip()) is not None


def test_swaks(smtp):
    swaks = shutil.which("swaks")
    if not swaks:
        pytest.skip("swaks is not installed")
    done = subprocess.run([swaks, "--server", "127.0.0.1", "--port", str(smtp.port), "--helo", "client.example.net", "--from", "sender@example.net",
                           "--to", "user@example.com", "--header", "Subject: swaks", "--body", "From swaks\n.\nend", "--pipeline"],
                          capture_output=True, text=True, timeout=60 * SLOWDOWN)
    assert done.returncode == 0, done.stdout + done.stderr
    stored = smtp.maildir.only()
    assert stored.field("Subject") == "swaks"
    assert stored.field("Return-Path") == "<sender@example.net>"
    assert b"\r\n.\r\nend\r\n" in stored.raw


def test_helo_client_and_null_sender(smtp):
    with Client(smtp.port) as client:
        client.command("HELO old.example.net", 250)
        client.command("MAIL FROM:<>", 250, "2.1.0")
        client.command("RCPT TO:<postmaster>", 250, "2.1.5")
        client.data(HEADER + b"bounce\r\n").expect(250, "2.0.0")
        client.quit()
    fields = check_stored(smtp.maildir.only(), HEADER + b"bounce\r\n", sender="", recipients=("postmaster",))
    assert " with SMTP id " in fields["received"]


def test_many_messages_in_one_session(smtp):
    bodies = [HEADER + b"number %d\r\n" % number for number in range(30)]
    with Client(smtp.port) as client:
        client.ehlo()
        for body in bodies:
            client.deliver(body).expect(250)
        client.quit()
    stored = smtp.maildir.stored()
    assert sorted(one.raw[-len(HEADER) - 12:].rpartition(b"number")[2] for one in stored) == sorted(b" %d\r\n" % number for number in range(30))


def test_many_recipients_get_one_file_with_a_field_each(smtp):
    recipients = tuple(f"user{number}@example.com" for number in range(100))
    with Client(smtp.port) as client:
        client.ehlo()
        client.deliver(HEADER + b"to all\r\n", "sender@example.net", *recipients).expect(250)
    check_stored(smtp.maildir.only(), HEADER + b"to all\r\n", recipients=recipients)


def test_message_in_single_octets(smtp):
    message = HEADER + b".\r\nline\r\n..\r\n"
    with Client(smtp.port) as client:
        client.ehlo()
        client.envelope()
        client.command("DATA", 354)
        client.send_slowly(message.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        client.reply().expect(250)
    check_stored(smtp.maildir.only(), message)


def test_messages_of_the_mime_suite(smtp, suites):
    files = sorted((suites / "mime").rglob("*.msg"))
    assert files, "the suite has no messages"
    stored_count = 0
    with Client(smtp.port) as client:
        client.ehlo()
        for path in files:
            # The files have LF line ends, as their MIME tools store them; on the wire a line ends in CRLF.
            message = re.sub(rb"\r?\n", b"\r\n", path.read_bytes())
            message = message if message.endswith(b"\r\n") else message + b"\r\n"
            reply = client.deliver(message)
            if b"\0" in message or re.search(rb"\r(?!\n)", message):
                reply.expect(554, "5.6.0")
                continue
            reply.expect(250)
            stored = smtp.maildir.only()
            stored.split(message)
            smtp.maildir.clear()
            stored_count += 1
    assert stored_count > len(files) * 3 // 4


def test_messages_of_the_mime_suite_pass_unchanged_where_bare_newlines_are_accepted(make_server, suites):
    server = make_server("event")
    host = server.smtp(lines="SmtpBareNewline accept")
    server.start()
    files = sorted((suites / "mime").rglob("*.msg"))
    with Client(host.port) as client:
        client.ehlo()
        for path in files:
            message = path.read_bytes()
            message = message if message.endswith(b"\r\n") else message + b"\r\n"
            client.deliver(message).expect(250)
            host.maildir.only().split(message)
            host.maildir.clear()


@pytest.mark.slow
@pytest.mark.parametrize("mpm", ["event", "prefork"])
def test_50_megabytes(make_server, mpm):
    """Octet for octet, and the server's memory does not grow with the message."""
    block = noise(998, seed=7) + b"\r\n"
    message = HEADER + block * 50_000
    server = make_server(mpm, threads=4)
    host = server.smtp(lines="SmtpSpoolThreshold 1m\nSmtpMaxMessageSize 60m")
    server.start()
    with Client(host.port, timeout=120 * SLOWDOWN) as client:
        client.ehlo()
        client.deliver(HEADER + b"x\r\n").expect(250)
        host.maildir.clear()
        before = sum(resident_memory(pid) for pid in server.children())
        client.deliver(message).expect(250)
        after = sum(resident_memory(pid) for pid in server.children())
        check_stored(host.maildir.only(), message)
    smtpd_env.check_growth(before, after, 8 << 20)

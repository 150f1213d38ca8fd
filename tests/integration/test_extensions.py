"""Extensions of SMTP on a running server: BDAT in all situations, UTF-8, parameters, and the switch for each virtual
host."""

import hashlib
import random
import smtplib
import time

import pytest

import smtpd_env
from maildir import check_stored
from smtp_client import Client, Closed

HEADER = b"From: sender@example.net\r\nSubject: extensions\r\n\r\n"


@pytest.fixture
def running(make_server, mpm):
    """(server, virtual host)"""
    server = make_server(mpm)
    smtp = server.smtp()
    server.start()
    return server, smtp


@pytest.fixture
def smtp(running):
    return running[1]


def bdat(octets, last=False):
    return b"BDAT %d%s\r\n" % (len(octets), b" LAST" if last else b"") + octets


def keywords(client):
    return [line.split()[0] for line in client.ehlo().text.splitlines()[1:]]


def pieces(octets, size):
    return [octets[at : at + size] for at in range(0, len(octets), size)]


# --- BDAT

@pytest.mark.parametrize("size", [1, 100, 100_000])
def test_binary_arrives_octet_for_octet(smtp, size):
    message = HEADER + random.Random(1).randbytes(3000) + b"\r\n.\r\n\n.\n\r.\r\0\r" + bytes(range(256))
    with Client(smtp.port) as client:
        client.ehlo()
        client.command("MAIL FROM:<sender@example.net> BODY=BINARYMIME", 250)
        client.command("RCPT TO:<user@example.com>", 250)
        parts = pieces(message, size)
        client.send(b"".join(bdat(part) for part in parts[:-1]) + bdat(parts[-1], True) + b"QUIT\r\n")
        assert [reply.code for reply in client.remaining_replies()] == [250] * len(parts) + [221]
    check_stored(smtp.maildir.only(), message)


def test_large_messages_arrive_in_chunks(smtp):
    """10 MB, as large mail providers send it, over a reused connection with PIPELINING."""
    body = b"".join(b"%076d\r\n" % number for number in range(10 * 1024 * 1024 // 78))
    message = HEADER + body
    for size in (len(message), 1024 * 1024, 65536):
        smtp.maildir.clear()
        with Client(smtp.port, timeout=60 * smtpd_env.SLOWDOWN) as client:
            client.ehlo()
            parts = pieces(message, size)
            client.send(b"MAIL FROM:<sender@example.net> SIZE=%d BODY=8BITMIME\r\nRCPT TO:<user@example.com>\r\n" % len(message))
            for number, part in enumerate(parts):
                client.send(bdat(part, number == len(parts) - 1))
            client.send(b"QUIT\r\n")
            assert [reply.code for reply in client.remaining_replies()] == [250] * (2 + len(parts)) + [221]
        stored = smtp.maildir.only().raw
        assert hashlib.sha256(stored[-len(message):]).digest() == hashlib.sha256(message).digest()


@pytest.mark.parametrize("cut", ["between chunks", "in a chunk", "in the command", "behind the last octet but one"])
@pytest.mark.parametrize("end", ["close", "reset", "half_close"])
def test_a_message_that_breaks_off_is_gone(running, cut, end):
    server, smtp = running
    octets = bdat(HEADER) + {"between chunks": b"", "in a chunk": b"BDAT 100\r\nabc", "in the command": b"BDAT 1", "behind the last octet but one": b"BDAT 4 LAST\r\nabc"}[cut]
    client = Client(smtp.port)
    client.ehlo()
    client.envelope()
    client.send(octets)
    client.reply().expect(250)
    getattr(client, end)()
    if end == "half_close":
        assert [reply.code for reply in client.remaining_replies()] in ([], [451])
    client.close()
    server.wait_log("disconnect after")
    assert not smtp.maildir.new() and not smtp.maildir.tmp()
    with Client(smtp.port) as other:
        other.ehlo()
        other.deliver(HEADER).expect(250)


def test_chunks_that_are_refused_are_no_commands(smtp):
    trap = b"RSET\r\nMAIL FROM:<evil@example.net>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n\r\n.\r\n"
    with Client(smtp.port) as client:
        client.ehlo()
        client.send(bdat(trap) + bdat(trap, True))
        assert [reply.code for reply in client.replies(2)] == [503, 503]
        client.command("MAIL FROM:<sender@example.net>", 250)
        client.command("RCPT TO:<user@elsewhere.example>", 550)
        client.send(bdat(trap) + bdat(trap) + bdat(trap, True) + b"QUIT\r\n")
        assert [reply.code for reply in client.remaining_replies()] == [503, 503, 503, 221]
    assert not smtp.maildir.new()


@pytest.mark.parametrize("size", ["", "x", "-1", "1 LATER", "18446744073709551616", "99999999999999999999999999 LAST"])
def test_a_chunk_without_a_size_ends_the_session(smtp, size):
    with Client(smtp.port) as client:
        client.ehlo()
        client.envelope()
        client.send(f"BDAT {size}\r\n".encode() + b"MAIL FROM:<evil@example.net>\r\n")
        client.reply().expect(501, "5.5.4")
        client.expect_close()


def test_slow_chunks_are_given_up(make_server, mpm):
    server = make_server(mpm)
    smtp = server.smtp(lines="SmtpMinDataRate 1000000 5s")
    server.start()
    with Client(smtp.port, timeout=60 * smtpd_env.SLOWDOWN) as client:
        client.ehlo()
        client.envelope()
        client.send(b"BDAT 1000000 LAST\r\n")
        began = time.monotonic()
        with pytest.raises((Closed, OSError)):
            while time.monotonic() - began < 30 * smtpd_env.SLOWDOWN:
                client.send(b"x")
                if not client.is_silent_for(0.2):
                    break
            client.reply().expect(421, "4.4.2")
            raise Closed()
    assert not smtp.maildir.new()


# --- UTF-8

def test_mail_in_utf8_is_stored(smtp):
    client = smtplib.SMTP("127.0.0.1", smtp.port, timeout=20 * smtpd_env.SLOWDOWN)
    client.command_encoding = "utf-8"
    client.ehlo("client.example.net")
    client.sendmail("josé@bücher.example", ["user@example.com"], "From: josé@bücher.example\r\nSubject: Grüße\r\n\r\nhallo\r\n".encode(), mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    client.quit()
    stored = smtp.maildir.only()
    assert stored.field("Return-Path") == "<josé@bücher.example>"
    assert stored.field("Subject") == "Grüße"
    assert "with UTF8SMTP " in stored.field("Received").replace("\t", " ")


# --- the switch

def test_each_virtual_host_has_its_own_extensions(make_server):
    server = make_server(main="SmtpExtensions -PIPELINING +DSN\nSmtpMaxTransactions 3")
    inherits = server.smtp(name="mx.example.com")
    differs = server.smtp(name="mx.example.org", lines="SmtpExtensions pipelining -CHUNKING -SMTPUTF8\nSmtpExtensions -dsn\nSmtpMaxRecipientDomains 4\nSmtpMaxRecipients 50")
    server.start()
    with Client(inherits.port) as client:
        assert {"CHUNKING", "BINARYMIME", "SMTPUTF8", "DSN"} <= set(found := keywords(client)) and "PIPELINING" not in found
        client.command("MAIL FROM:<a@example.net> RET=HDRS ENVID=x", 250)
        client.command("RCPT TO:<user@example.com> NOTIFY=NEVER ORCPT=rfc822;a@b", 250)
        client.command("RSET", 250)
        for _ in range(2):
            client.command("MAIL FROM:<a@example.net>", 250)
            client.command("RSET", 250)
        client.command("MAIL FROM:<a@example.net>", 421, "4.7.0")
        client.expect_close()
    with Client(differs.port) as client:
        found = keywords(client)
        assert "PIPELINING" in found and not {"CHUNKING", "BINARYMIME", "SMTPUTF8", "DSN"} & set(found)
        assert "LIMITS MAILMAX=3 RCPTMAX=50 RCPTDOMAINMAX=4" in client.ehlo().text.splitlines()
        client.command("MAIL FROM:<a@example.net> RET=HDRS", 555, "5.5.4")
        client.send(bdat(b"QUIT\r\n", True))
        client.reply().expect(502, "5.5.1")
        client.command("NOOP", 250)


@pytest.mark.parametrize("lines, complaint", [
    ("SmtpExtensions -CHUNKED", 'SmtpExtensions: there is no extension "CHUNKED"; the extensions are PIPELINING,'),
    ("SmtpExtensions", "SmtpExtensions takes the names of extensions"),
    ("SmtpExtensions +", 'there is no extension ""'),
    ("SmtpExtensions -AUTH", "AUTH cannot be switched here"),
    ("SmtpExtensions -CHUNKING +BINARYMIME", "SmtpExtensions: BINARYMIME needs CHUNKING, which is off"),
    ("SmtpExtensions +SMTPUTF8 -8BITMIME", "SmtpExtensions: SMTPUTF8 needs 8BITMIME, which is off"),
    ("SmtpMaxTransactions many", "SmtpMaxTransactions takes a number"),
    ("SmtpMaxRecipientDomains -1", "SmtpMaxRecipientDomains takes a number"),
])
def test_wrong_lines_are_found_at_configtest(make_server, lines, complaint):
    server = make_server()
    server.smtp(lines=lines)
    good, output = server.configtest()
    assert not good and complaint in output

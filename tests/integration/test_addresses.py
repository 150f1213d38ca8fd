"""Addresses on a running server: the two forms of a domain, the case of local parts, and forms beyond RFC 5321 that
senders use (SmtpAddressSyntax, SmtpLocalPartCase); and clients with a non-ASCII name."""

import re

import pytest

from smtp_client import Client

FORMS = ("bücher.example", "BÜCHER.example", "bu\u0308cher.example", "xn--bcher-kva.example", "XN--Bcher-KVA.Example")
MESSAGE = b"From: sender@example.net\r\nSubject: addresses\r\n\r\ntext\r\n.\r\n"


def folders(smtp):
    """The Maildirs with mail, as paths below the common folder."""
    top = smtp.maildir.path
    return sorted({str(file.parent.parent.relative_to(top)) for file in top.rglob("new/*")})


def greet(client):
    return client.command("EHLO client.example.net", 250)


def send(client, sender, recipient, parameters=" SMTPUTF8"):
    client.command(f"MAIL FROM:<{sender}>{parameters}", 250)
    client.command(f"RCPT TO:<{recipient}>", 250)
    client.command("DATA", 354)
    client.send(MESSAGE)
    return client.reply().expect(250)


@pytest.mark.parametrize("listed", ["bücher.example", "xn--bcher-kva.example"])
def test_one_domain_in_every_form(make_server, listed):
    server = make_server()
    smtp = server.smtp(
        'SmtpPlugin badmailfrom\nSmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir "@maildir@" %d/%l',
        control={"rcpthosts": f"{listed}\n", "badmailfrom": f"spam@{listed}\n"},
    )
    server.start()
    with Client(smtp.port) as client:
        greet(client)
        for form in FORMS:
            client.command(f"MAIL FROM:<spam@{form}> SMTPUTF8", 550)
            send(client, "sender@example.net", f"user@{form}")
        client.command("MAIL FROM:<sender@example.net>", 250)
        client.command("RCPT TO:<user@bucher.example>", 550)
    assert folders(smtp) == ["xn--bcher-kva.example/user"]
    files = [file.read_bytes() for file in (smtp.maildir.path / "xn--bcher-kva.example/user/new").iterdir()]
    shown = {re.search(rb"Delivered-To: (.*)\r\n", file)[1].decode() for file in files}
    assert shown == {f"user@{form}" for form in FORMS}, "what the client sent is shown"


def test_recipient_domains_are_counted_once(make_server):
    server = make_server()
    smtp = server.smtp(lines="SmtpMaxRecipientDomains 1", control={"rcpthosts": "bücher.example\nexample.com\n"})
    server.start()
    with Client(smtp.port) as client:
        greet(client)
        client.command("MAIL FROM:<sender@example.net> SMTPUTF8", 250)
        for form in FORMS:
            client.command(f"RCPT TO:<user@{form}>", 250)
        client.command("RCPT TO:<user@example.com>", 452)


def test_the_case_of_local_parts(make_server):
    server = make_server()
    plugins = 'SmtpPlugin rcpt_map domain=example.com file=map\nSmtpPlugin queue/maildir "@maildir@" %l'
    control = {"map": "bob@example.com OK\npostmaster@example.com OK\n"}
    folded = server.smtp(plugins, control=control)
    kept = server.smtp(plugins, "SmtpLocalPartCase sensitive", control=control)
    server.start()
    for smtp, is_folded in ((folded, True), (kept, False)):
        with Client(smtp.port) as client:
            greet(client)
            send(client, "sender@example.net", "bob@example.com")
            send(client, "sender@example.net", "PostMaster@example.com")
            client.command("MAIL FROM:<sender@example.net>", 250)
            client.command("RCPT TO:<Bob@example.com>", 250 if is_folded else 550)
            if is_folded:
                client.command("DATA", 354)
                client.send(MESSAGE)
                client.reply().expect(250)
        assert folders(smtp) == ["bob", "postmaster"]
    assert len(list((folded.maildir.path / "bob/new").iterdir())) == 2


#: An address that senders in use have, and how it is written in the fields of the message.
SENT = {
    "SRS0=" + "x" * 90 + "@fwd.example": None,
    "IMCEAEX-_O=" + "A" * 400 + "@exchange.example": None,
    "a..b@example.net": '"a..b"@example.net',
    "a.@example.net": '"a."@example.net',
    ".a@example.net": '".a"@example.net',
    '""@example.net': None,
    "a@under_score.example.net": None,
    "a@example.net.": "a@example.net",
}


def test_addresses_of_senders_in_use(make_server):
    server = make_server()
    lenient = server.smtp()
    strict = server.smtp(lines="SmtpAddressSyntax strict")
    server.start()
    with Client(lenient.port) as client:
        greet(client)
        for address, written in SENT.items():
            send(client, address, "user@example.com", "")
            assert f"Return-Path: <{written or address}>\r\n".encode() in lenient.maildir.only().raw
            lenient.maildir.clear()
            client.command("MAIL FROM:<sender@example.net>", 250)
            client.command(f"RCPT TO:<{address}>", 550, text="Relaying denied")  # understood, though not ours
            client.command("RSET", 250)
        client.command("RSET", 250)
        client.command(f"MAIL FROM:<{'x' * 900}@example.net>", 501, "5.1.7")
    with Client(strict.port) as client:
        greet(client)
        for address in SENT:
            client.command(f"MAIL FROM:<{address}>", 501, "5.1.7")
        client.command("MAIL FROM:<sender@example.net>", 250)
        for address in SENT:
            client.command(f"RCPT TO:<{address}>", 501, "5.1.3")


@pytest.mark.parametrize("syntax", ["lenient", "strict"])
def test_what_smtputf8_does_not_allow(make_server, syntax):
    server = make_server()
    smtp = server.smtp(lines=f"SmtpAddressSyntax {syntax}\nSmtpMaxErrors 0")
    server.start()
    with Client(smtp.port) as client:
        greet(client)
        for address in (
            "a\u0085b@example.net",
            "a\u202eb@example.net",
            "a\u2066b@example.net",
            "a\u200bb@example.net",
            "a\ufeffb@example.net",
            "a@b\u202ec.example",
            "a@b\u200bc.example",
            "a@b\u200dc.example",
            "a@i\u2764.example",
            "a@-ü.example",
            "a@x\u2100y.example",
        ):
            client.command(f"MAIL FROM:<{address}> SMTPUTF8", 501, "5.1.7")
        client.command("MAIL FROM:<jürgen@bücher.example> SMTPUTF8", 250)


def test_a_client_whose_name_is_not_ascii(make_server):
    server = make_server()
    smtp = server.smtp()
    judging = server.smtp(
        'SmtpPlugin helo policy=rfc reject_type=perm\nSmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir "@maildir@"'
    )
    server.start()
    names = {"MÜLLER-PC".encode(): "xn--mller-pc-65a", "MÜLLER-PC".encode("latin-1"): "M?LLER-PC"}
    for name, written in names.items():
        for verb in (b"EHLO ", b"HELO "):
            with Client(smtp.port) as client:
                client.command(verb + name, 250)
                send(client, "sender@example.net", "user@example.com", "")
            raw = smtp.maildir.only().raw
            assert re.search(rb"^Received: from (\S+) ", raw, re.M)[1].decode() == written
            assert raw.isascii()
            smtp.maildir.clear()
        with Client(judging.port) as client:
            assert client.command(b"EHLO " + name, 550).raw.isascii()


@pytest.mark.parametrize(
    "file, line",
    [("rcpthosts", "i\u2764.example"), ("badmailfrom", "@i\u2764.example"), ("badmailfrom", "a@i\u2764.example")],
)
def test_a_domain_that_idna_does_not_allow_is_a_mistake(make_server, file, line):
    server = make_server()
    server.smtp("SmtpPlugin badmailfrom\nSmtpPlugin rcpt_ok", control={file: f"{line}\n"})
    good, output = server.configtest()
    assert not good and re.search(rf"{file}:1: .*IDNA does not allow", output), output

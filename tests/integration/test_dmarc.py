"""The plugin dmarc in live sessions, with a real name server."""

import pytest

from name_server import HostileServer
from smtp_client import Client

ZONES = {
    "test": """
_dmarc.none        TXT "v=DMARC1; p=none"
_dmarc.quarantine  TXT "v=DMARC1; p=quarantine"
_dmarc.reject      TXT "v=DMARC1; p=reject; " "np=none"
sub.reject         A 192.0.2.1
bounce.reject      TXT "v=spf1 ip4:127.0.0.1 -all"
""",
}

CHAIN = """
    SmtpPlugin dmarc {options}
    SmtpPlugin rcpt_ok
    SmtpPlugin queue/maildir "@maildir@" junk=.Junk
"""


def send(client, from_field):
    client.envelope("me@sender.test", "you@example.com")
    return client.data(f"{from_field}\r\nSubject: x\r\n\r\nhello\r\n")


def start(make_server, dns, options="", mpm="event"):
    server = make_server(mpm)
    server.allow_log("no plugin tests (SPF|DKIM)")
    smtp = server.smtp(CHAIN.format(options=options), f"SmtpResolver {dns.address} timeout=1s tries=2")
    server.start()
    return server, smtp


def test_policies(make_server, mpm, nsd):
    server, smtp = start(make_server, nsd, mpm=mpm)
    with Client(smtp.port) as client:
        client.command("EHLO client.test", 250)
        assert send(client, "From: a@nothing.test").code == 250
        assert send(client, "From: a@none.test").code == 250
        assert send(client, "From: A <a@quarantine.test>").code == 250
        reply = send(client, "From: a@sub.reject.test")
        assert reply.code == 550 and "5.7.1" in reply.text and "DMARC" in reply.text, repr(reply)
        assert send(client, "From: a@gone.reject.test").code == 250
        assert send(client, "From: a@none.test\r\nFrom: a@reject.test").code == 250
    in_order = [message.raw for message in smtp.maildir.stored()]
    assert len(in_order) == 4
    results = [b"dmarc=none header.from=nothing.test", b"dmarc=fail", b"header.from=gone.reject.test", b"dmarc=permerror reason="]
    for wanted in results:
        assert any(wanted in raw for raw in in_order), (wanted, in_order)
    junk = [path.read_bytes() for path in (smtp.maildir.path / ".Junk" / "new").iterdir()]
    assert len(junk) == 1
    assert b"\r\nX-Quarantine: dmarc (policy of quarantine.test)\r\n" in junk[0]
    assert b"policy.dmarc=quarantine" in junk[0]
    server.expect_log("dmarc: fail: sub.reject.test has p=reject")
    server.expect_log("dmarc: fail, tolerated: multiple_from: the message has 2 From fields")


def test_pipelined_messages_each_have_their_own_result(make_server, nsd):
    _, smtp = start(make_server, nsd, "multiple_from=reject")
    with Client(smtp.port) as client:
        client.command("EHLO client.test", 250)
        for author, code in (("none", 250), ("reject", 550), ("quarantine", 250), ("reject, b@none", 550)):
            client.send("MAIL FROM:<me@sender.test>\r\nRCPT TO:<you@example.com>\r\nDATA\r\n")
            for expected in (250, 250, 354):
                client.reply().expect(expected)
            client.send(f"From: a@{author}.test\r\n\r\nx\r\n.\r\n")
            client.reply().expect(code)


@pytest.mark.parametrize("options, code", [("", 250), ("onerror=tempfail", 451)])
def test_a_dns_that_does_not_answer(make_server, options, code):
    with HostileServer("silent") as dns:
        server, smtp = start(make_server, dns, f"timeout=1s {options}")
        with Client(smtp.port) as client:
            client.command("EHLO client.test", 250)
            reply = send(client, "From: a@reject.test")
            assert reply.code == code, repr(reply)
        server.expect_log("dmarc: error: _dmarc.reject.test: no answer in time")


def test_spf_lets_a_message_pass(make_server, mpm, nsd):
    server = make_server(mpm)
    server.allow_log("no plugin tests DKIM")
    smtp = server.smtp("SmtpPlugin sender_permitted_from reject=2\n" + CHAIN.format(options=""), f"SmtpResolver {nsd.address} timeout=1s tries=2")
    server.start()
    with Client(smtp.port) as client:
        client.command("EHLO client.test", 250)
        for sender, code in (("x@bounce.reject.test", 250), ("x@elsewhere.test", 550)):
            client.envelope(sender, "you@example.com")
            client.data("From: a@reject.test\r\n\r\nhello\r\n").expect(code)
    raw = smtp.maildir.only().raw
    assert b"spf=pass" in raw and b"dmarc=pass" in raw and b"policy.dmarc=reject" in raw, raw

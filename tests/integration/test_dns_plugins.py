"""The plugins that ask the DNS, as a chain, with a real name server and with one that does not answer."""

import re
import socket
import time

import pytest

import smtpd_env
from name_server import HostileServer
from smtp_client import Client
from test_auth import plain

MESSAGE = "From: me@good.test\r\nSubject: x\r\n\r\nhello\r\n"
SLOW = smtpd_env.SLOWDOWN

#: Block lists bl and wild, an allow list wl, a list of domains dbl; clients 127.0.0.3 to 127.0.0.9; senders' domains.
ZONES = {
    "test": """
good      MX 10 mx.good
mx.good   A 127.0.0.3
bad       MX 10 mx.bad
mx.bad    A 10.0.0.1
nomail    MX 0 .
spam      A 192.0.2.1
2.0.0.127.bl   A 127.0.0.2
4.0.0.127.bl   A 127.0.0.4
4.0.0.127.bl   TXT "seen in a trap"
5.0.0.127.bl   A 127.0.0.10
6.0.0.127.bl   A 127.255.255.254
*.wild    A 127.0.0.2
2.0.0.127.wl   A 127.0.0.2
7.0.0.127.wl   A 127.0.5.2
7.0.0.127.bl   A 127.0.0.2
test.dbl       A 127.0.1.2
spam.test.dbl  A 127.0.1.2
""",
    "127.in-addr.arpa": """
3.0.0 PTR mx.good.test.
5.0.0 PTR five.test.
""",
}

CHAIN = """
    SmtpPlugin fcrdns
    SmtpPlugin dns_whitelist_soft zones=wl.test=127.0.*.1-3
    SmtpPlugin dnsbl zones=bl.test=127.0.0.2-9 "zones=wild.test:never said" timeout=3s
    SmtpPlugin rhsbl "zones=dbl.test %DOMAIN% sends spam"
    SmtpPlugin helo policy=strict reject_type=perm timeout=3s
    SmtpPlugin resolvable_fromhost
    SmtpPlugin rcpt_ok
    SmtpPlugin queue/maildir "@maildir@"
"""


def dialogue(port, source, helo="mx.good.test", sender="me@good.test"):
    """The reply at the step that ends the session, or at the end of the message."""
    with Client(port, source=source, greet=False) as client:
        for line in (None, f"EHLO {helo}", f"MAIL FROM:<{sender}>", "RCPT TO:<you@example.com>", "DATA"):
            reply = client.reply() if line is None else client.command(line)
            if reply.code >= 400:
                return reply
        client.send(MESSAGE + ".\r\n")
        return client.reply()


def test_the_chain(make_server, mpm, nsd):
    server = make_server(mpm)
    smtp = server.smtp(CHAIN, f"SmtpResolver {nsd.address} timeout=1s tries=2", control={"invalid_resolvable_fromhost": "10.0.0.0/8\n"})
    server.start()
    for source, more, code, text in (
            ("127.0.0.3", {}, 250, ""),
            ("127.0.0.4", {}, 550, "seen in a trap"),
            ("127.0.0.5", {"helo": "five.test"}, 550, "five.test has no address in the DNS"),
            ("127.0.0.6", {}, 550, "There is no name for 127.0.0.6 in the DNS"),
            ("127.0.0.7", {"helo": "localhost"}, 250, ""),
            ("127.0.0.3", {"helo": "single"}, 550, "Your name is not fully qualified"),
            ("127.0.0.3", {"sender": "me@spam.test"}, 550, "Mail from spam.test: spam.test sends spam"),
            ("127.0.0.3", {"sender": "me@bad.test"}, 450, "bad.test does not resolve"),
            ("127.0.0.3", {"sender": "me@nomail.test"}, 450, "nomail.test accepts no mail"),
            ("127.0.0.3", {"sender": "me@elsewhere.test"}, 450, "elsewhere.test does not resolve"),
            ("127.0.0.3", {"sender": ""}, 250, "")):
        reply = dialogue(smtp.port, source, **more)
        assert reply.code == code and text in reply.text, f"{source} {more}: {reply!r}"
    assert len(smtp.maildir.stored()) == 3
    server.expect_log(r"dnsbl: the list wild\.test IS SWITCHED OFF: it lists 127\.0\.0\.1 \(127\.0\.0\.2\), and so everything")
    server.expect_log(r"dnsbl: error: bl\.test: refuses to answer \(127\.255\.255\.254\)")
    server.expect_log(r"dnsbl: skip: whitelisted host: wl\.test \(127\.0\.5\.2\)")


DEFERRED = """
    SmtpPlugin earlytalker wait=1s reject=naughty
    SmtpPlugin fcrdns reject=naughty
    SmtpPlugin dnsbl zones=bl.test=127.0.0.2-9 timeout=3s reject=naughty
    SmtpPlugin helo policy=strict timeout=3s reject=naughty
    SmtpPlugin auth/auth_flat_file
    SmtpPlugin resolvable_fromhost
    SmtpPlugin greylisting
    SmtpPlugin naughty reject=rcpt
    SmtpPlugin rcpt_ok
    SmtpPlugin queue/maildir "@maildir@"
"""


@pytest.mark.parametrize("has_password", [False, True], ids=["a stranger", "somebody who logs in"])
def test_a_user_on_a_listed_address_is_served(make_server, nsd, has_password):
    """All policies have decided before AUTH: a client that then logs in is exempt, and so are the plugins after
    AUTH."""
    server = make_server("event", main="SmtpStore memory:1m")
    smtp = server.smtp(DEFERRED, f"SmtpAuthWithoutTLS on\nSmtpResolver {nsd.address} timeout=1s tries=2", control={"flat_auth_pw": "joe@example.com:{PLAIN}secret\n"})
    server.start()
    with Client(smtp.port, source="127.0.0.4", greet=False) as client:
        client.send("EHLO single\r\n")  # too early, with a name that is none
        client.reply().expect(220)
        client.reply().expect(250)
        if has_password:
            client.command(plain("joe@example.com", "wrong"), 535)
            client.command(plain("joe@example.com", "secret"), 235)
            client.envelope("me@bad.test", "you@elsewhere.example")
            client.data(MESSAGE).expect(250)
        else:
            client.command("MAIL FROM:<me@good.test>", 250)
            client.command("RCPT TO:<user@example.com>", 550)
    assert len(smtp.maildir.new()) == has_password


def test_a_dns_that_does_not_answer_refuses_nobody_and_holds_nobody_up_for_long(make_server):
    chain = re.sub(r"SmtpPlugin (fcrdns|dns\w+|rhsbl|helo|resolvable_fromhost)", r"SmtpPlugin \1 deadline=1s", CHAIN.replace("timeout=3s", ""))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        server = make_server()
        smtp = server.smtp(chain, f"SmtpResolver 127.0.0.1:{silent.getsockname()[1]} timeout=10s tries=3")
        server.start()
        before = time.monotonic()
        with Client(smtp.port, timeout=30 * SLOW) as client:
            client.command("EHLO mx.good.test", 250)
            client.envelope("me@good.test", "you@example.com")
            client.data(MESSAGE).expect(250)
        assert time.monotonic() - before < 6 * SLOW
    for plugin in ("dnsbl: error: bl", "dns_whitelist_soft: error: wl", "rhsbl: error: dbl", "helo: error: ", "resolvable_fromhost: error: MX of good"):
        server.expect_log(plugin)


#: How a name server may answer everything, and whether that tells anybody anything (then a client may be refused for it).
HOSTILE = {"silent": False, "slow-30000": False, "code-1": False, "code-2": False, "code-5": False, "code-15": False, "otherquestion": False, "wrongid": False,
           "garbage": False, "pointers": False, "loop": False, "chain-60": False, "tcalways": False, "tcpclose": False, "tcpshort": False, "tcpdrip": False,
           "tchang": False, "lie": True, "nx": True, "nodata": True, "noise": True, "tc": True, "chain-10": True, "big-4000": True, "bigudp": True,
           "longtext": True, "oddname": True, "ttl-0": True, "ttl-4294967295": True}


@pytest.mark.parametrize("behaviour", HOSTILE)
def test_no_name_server_holds_a_session_up_or_takes_memory(make_server, behaviour):
    """Every plugin that asks the DNS, with a server that answers all of them in one bad way."""
    chain = CHAIN.replace("timeout=3s", "timeout=2s").replace("SmtpPlugin fcrdns", "SmtpPlugin fcrdns timeout=2s")
    with HostileServer(behaviour) as dns:
        server = make_server(threads=4)
        server.allow_log("IS SWITCHED OFF|error: ")
        smtp = server.smtp(chain, f"SmtpResolver {dns.address} timeout=500ms tries=1 cache=256k", control={"invalid_resolvable_fromhost": "10.0.0.0/8\n"})
        server.start()

        def session(number):
            before = time.monotonic()
            reply = dialogue(smtp.port, f"127.0.0.{number}", helo=f"mx{number}.good.test", sender=f"me@n{number}.good.test")
            took = time.monotonic() - before
            assert took < 15 * SLOW, f"{took} s"
            assert HOSTILE[behaviour] or reply.code == 250, repr(reply)
            assert reply.code in (250, 450, 451, 550), repr(reply)
        session(3)
        before = smtpd_env.resident_memory(server.children()[0])
        for number in range(4, 8):
            session(number)
        smtpd_env.check_growth(before, smtpd_env.resident_memory(server.children()[0]), 8 << 20)

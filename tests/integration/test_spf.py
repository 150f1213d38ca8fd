"""sender_permitted_from in a running server: what clients are told, what messages get, and what follows when the DNS does not answer."""

import json
import os
import subprocess

import pytest

import sanitizers
import smtpd_env
from name_server import ZoneServer
from smtp_client import Client
from smtpd_env import SLOWDOWN

MESSAGE = "From: me@good.test\r\nSubject: x\r\n\r\nhello\r\n"

RECORDS = """
good.test TXT v=spf1 a include:spf.good.test -all
good.test A 127.0.0.3
spf.good.test TXT v=spf1 mx:mx.good.test ?all
mx.good.test MX 10 one.good.test
mx.good.test MX 20 two.good.test
one.good.test A 127.0.0.4
two.good.test A 127.0.0.5
bad.test TXT v=spf1 ip4:192.0.2.1 -all exp=why.bad.test
why.bad.test TXT %{i} is no host of %{d}
soft.test TXT v=spf1 ~all
wrong.test TXT v=spf1 ip5:127.0.0.1 -all
helo.test TXT v=spf1 ip4:127.0.0.0/8 -all
"""

PLUGINS = """
    SmtpPlugin {}
    SmtpPlugin greylisting skip_spf_pass=yes
    SmtpPlugin rcpt_ok
    SmtpPlugin queue/maildir "@maildir@"
"""


@pytest.fixture
def dns():
    with ZoneServer(RECORDS) as server:
        yield server


def start(make_server, dns, options="", mpm="event"):
    server = make_server(mpm, main="SmtpStore memory:1m")
    smtp = server.smtp(PLUGINS.format(f"sender_permitted_from {options}"), f"SmtpResolver {dns.address} timeout=200ms tries=1")
    server.start()
    return server, smtp


def mail(smtp, sender, source, helo="client.helo.test", size=""):
    """The reply that ends the dialogue."""
    with Client(smtp.port, source=source, greet=False) as client:
        client.reply().expect(220)
        client.command(f"EHLO {helo}", 250)
        for line in (f"MAIL FROM:<{sender}>", "RCPT TO:<you@example.com>", "DATA"):
            reply = client.command(line)
            if reply.code >= 400:
                return reply
        client.send(MESSAGE + ".\r\n")
        return client.reply()


def test_results_decide_and_are_written(make_server, mpm, dns):
    _, smtp = start(make_server, dns, "reject=3", mpm)
    for sender, source, code, text in (
            ("me@good.test", "127.0.0.3", 250, ""),
            ("me@good.test", "127.0.0.5", 250, ""),
            ("me@bad.test", "127.0.0.3", 550, "5.7.23 SPF fail: bad.test does not let 127.0.0.3 send its mail; bad.test explains: 127.0.0.3 is no host of bad.test"),
            ("me@soft.test", "127.0.0.3", 450, "4.7.23 SPF softfail"),
            ("me@wrong.test", "127.0.0.3", 450, "4.7.1"),  # greylisting: the plugin tolerates it, and nothing passed
            ("me@good.test", "127.0.0.9", 550, "5.7.23 SPF fail")):
        reply = mail(smtp, sender, source)
        assert reply.code == code and text in f"{reply!r}", f"{sender} from {source}: {reply!r}"
    stored = smtp.maildir.stored()
    assert len(stored) == 2
    for message in stored:
        names = [name for name, _ in message.split_behind_ours()[0]]
        assert names[-3:] == ["authentication-results", "received-spf", "received"], names
        assert "spf=pass smtp.mailfrom=good.test" in message.field("authentication-results")
        assert "identity=mailfrom;" in message.field("received-spf")


def test_each_question_that_is_not_answered_is_a_temporary_error_or_does_not_matter(make_server, dns):
    _, smtp = start(make_server, dns, "reject=2")
    assert mail(smtp, "me@good.test", "127.0.0.5").code == 250
    questions = sorted(set(dns.asked))
    assert {"good.test TXT", "good.test A", "spf.good.test TXT", "mx.good.test MX", "one.good.test A", "two.good.test A"} <= set(questions)
    for question in questions:
        _, fresh = start(make_server, dns, "reject=2")
        dns.silent = {question}
        reply = mail(fresh, "me@good.test", "127.0.0.5")
        matters = question.split()[1] != "PTR" and "helo" not in question
        assert reply.code == (451 if matters else 250), f"{question}: {reply!r}"
        if matters:
            assert "4.4.3" in f"{reply!r}"
        dns.silent = set()


def test_the_command_asks_the_same_server(dns):
    command = [*sanitizers.command_prefix(smtpd_env.BUILD), str(sanitizers.build_dir() / "tools" / "smtpd-auth"), "spf", "--resolver", dns.address,
               "--helo", "client.helo.test", "--mail-from", "me@good.test", "--timeout", "2"]

    def run(ip):
        done = subprocess.run([*command, "--ip", ip], capture_output=True, timeout=60 * SLOWDOWN,
                              env={**os.environ, **sanitizers.environment(smtpd_env.BUILD)})
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    assert run("127.0.0.5")["mechanism"] == "include:spf.good.test"
    assert run("127.0.0.9")["result"] == "fail"
    dns.silent = {"spf.good.test TXT"}
    assert run("127.0.0.5")["result"] == "temperror" and run("127.0.0.3")["result"] == "pass"

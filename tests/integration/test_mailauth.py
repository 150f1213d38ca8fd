"""SPF, DKIM, ARC and DMARC together in one server: what a message is worth if all of them agree, if only some do, under
TLS, pipelined, and if the name server does not answer one of their questions."""

import base64
import re
import subprocess

import pytest

import sanitizers
import smtpd_env
from certificates import Authority, client_context, lines as ssl_lines, needs_mod_ssl
from name_server import ZoneServer
from smtp_client import Client

MESSAGE = b"From: Joe <joe@good.test>\r\nTo: user@example.com\r\nSubject: dinner\r\n\r\nAt eight.\r\n"
PLUGINS = """
    SmtpPlugin sender_permitted_from timeout=1s
    SmtpPlugin dkim timeout=1s
    SmtpPlugin arc timeout=1s trusted=list.test
    SmtpPlugin dmarc timeout=1s {}
    SmtpPlugin rcpt_ok
    SmtpPlugin queue/maildir "@maildir@"
"""


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    """(file of a key, its record)"""
    file = tmp_path_factory.mktemp("key") / "key.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", file], check=True, capture_output=True)
    public = subprocess.run(
        ["openssl", "pkey", "-in", file, "-pubout", "-outform", "DER"], check=True, capture_output=True
    ).stdout[-32:]
    return file, f"v=DKIM1; k=ed25519; p={base64.b64encode(public).decode()}"


@pytest.fixture
def dns(key):
    with ZoneServer(
        f"""
good.test TXT v=spf1 ip4:127.0.0.3 -all
sel._domainkey.good.test TXT {key[1]}
_dmarc.good.test TXT v=DMARC1; p=reject
sel._domainkey.list.test TXT {key[1]}
list.test TXT v=spf1 ip4:127.0.0.4 -all
"""
    ) as server:
        yield server


def smtpd_auth(*arguments, message):
    """The message with the fields that the command prints on top."""
    command = [*sanitizers.command_prefix(smtpd_env.BUILD), str(sanitizers.build_dir() / "tools" / "smtpd-auth")]
    environment = sanitizers.environment(smtpd_env.BUILD)
    done = subprocess.run([*command, *map(str, arguments)], input=message, capture_output=True, env=environment)
    assert done.returncode == 0 and done.stdout, done.stderr
    return done.stdout + message


def signed(key):
    return smtpd_auth("dkim-sign", "--domain", "good.test", "--selector", "sel", "--key", key[0], message=MESSAGE)


def from_a_list(key, dns):
    """A signed message that a mailing list has received with success, then changed, and sealed."""
    passed = b"Authentication-Results: list.test; dmarc=pass header.from=good.test\r\n"
    changed = signed(key).replace(b"Subject: dinner", b"Subject: [list] dinner")
    words = ("--domain", "list.test", "--selector", "sel", "--key", key[0], "--authserv-id", "list.test")
    return smtpd_auth("arc-seal", *words, "--resolver", dns.address, message=passed + changed)


def start(make_server, dns, mpm="event", options=""):
    server = make_server(mpm)
    smtp = server.smtp(PLUGINS.format(options), f"SmtpResolver {dns.address} timeout=200ms tries=1")
    server.start()
    return server, smtp


def send(smtp, message, source="127.0.0.3", sender="joe@good.test"):
    with Client(smtp.port, source=source) as client:
        client.ehlo()
        return client.deliver(message, sender=sender)


def results(stored):
    return " ".join(stored.field("authentication-results").split())


def test_all_of_them_agree(make_server, mpm, dns, key):
    _, smtp = start(make_server, dns, mpm)
    assert send(smtp, signed(key)).code == 250
    stored = smtp.maildir.only()
    assert stored.raw.endswith(signed(key)[signed(key).index(b"From: ") :])
    words = re.findall(r"(?<!\.)\b(spf|dkim|arc|dmarc)=(\w+)", results(stored))
    assert words == [("spf", "pass"), ("dkim", "pass"), ("arc", "none"), ("dmarc", "pass")], results(stored)


@pytest.mark.parametrize("source, good", [("127.0.0.3", True), ("127.0.0.9", False)], ids=["spf", "neither"])
def test_one_of_them_is_enough(make_server, dns, key, source, good):
    """A message whose signature is broken passes DMARC because of SPF, or not at all."""
    server, smtp = start(make_server, dns)
    reply = send(smtp, signed(key).replace(b"eight", b"nine"), source=source)
    assert reply.code == (250 if good else 550), reply
    if good:
        assert "dkim=fail" in results(smtp.maildir.only()) and "dmarc=pass" in results(smtp.maildir.only())
    else:
        assert "5.7.26" in repr(reply) and "DMARC" in repr(reply)
        server.expect_log(r"dmarc: fail: good\.test has p=reject")


def test_a_list_that_is_trusted(make_server, dns, key):
    """The chain of a trusted sealer that saw the message pass overrides the author's policy; a broken chain does not."""
    _, smtp = start(make_server, dns, options="mailing_lists=reject")
    message = from_a_list(key, dns)
    assert send(smtp, message, source="127.0.0.4", sender="bounce@list.test").code == 250
    found = results(smtp.maildir.only())
    assert "arc=pass" in found and "dmarc=fail" in found and "dis=none" in found, found
    broken = message.replace(b"[list] dinner", b"[list] supper")
    assert send(smtp, broken, source="127.0.0.4", sender="bounce@list.test").code == 550


@pytest.mark.parametrize("pipelined", [False, True])
def test_under_tls(make_server, dns, key, pipelined):
    needs_mod_ssl()
    server = make_server("event", modules=("ssl", "socache_shmcb"), main='SSLSessionCache "shmcb:@root@/cache(512000)"')
    authority = Authority(server.root)
    certificate = ssl_lines(authority.issue("localhost", "mx.example.com"))
    smtp = server.smtp(PLUGINS.format(""), f"SmtpResolver {dns.address} timeout=200ms tries=1\n{certificate}")
    server.start()
    messages = [signed(key), signed(key).replace(b"eight", b"nine"), signed(key)]
    with Client(smtp.port, source="127.0.0.9", greet=False) as client:
        client.socket = client_context(authority).wrap_socket(client.socket, server_hostname="localhost")
        client.reply().expect(220)
        client.ehlo()
        for message, code in zip(messages, (250, 550, 250)):
            if not pipelined:
                client.deliver(message, sender="joe@good.test").expect(code)
                continue
            client.send("MAIL FROM:<joe@good.test>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n")
            for expected in (250, 250, 354):
                client.reply().expect(expected)
            client.send(message + b".\r\n")
            client.reply().expect(code)
    assert [("dkim=pass" in results(one), "dmarc=pass" in results(one)) for one in smtp.maildir.stored()] == [
        (True, True)
    ] * 2


@pytest.mark.parametrize(
    "silent, words",
    [
        ("good.test TXT", ["spf=temperror", "dkim=pass", "dmarc=pass"]),
        ("sel._domainkey.good.test TXT", ["spf=pass", "dkim=temperror", "dmarc=pass"]),
        ("_dmarc.good.test TXT", ["spf=pass", "dkim=pass", "dmarc=temperror"]),
    ],
)
def test_each_question_may_stay_without_an_answer(make_server, dns, key, silent, words):
    """No verdict depends on an answer that did not come, and the others are what they would be with it."""
    _, smtp = start(make_server, dns)
    dns.silent = {silent}
    assert send(smtp, signed(key)).code == 250
    found = results(smtp.maildir.only())
    assert all(word in found for word in words), found

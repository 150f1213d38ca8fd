"""The plugin dkim: one server signs, another one verifies, and a name server has the keys."""

import base64
import re
import subprocess

from name_server import HostileServer
from smtp_client import Client

MESSAGE = b"From: Joe <joe@good.test>\r\nTo: user@example.com\r\nSubject: dinner\r\n\tat eight\r\nDate: Fri, 20 Nov 2026 18:27:00 +0000\r\n\r\n" \
          b"Hello  there \r\n..dots\r\n\r\nbye\r\n\r\n\r\n"


def openssl(*words, given=None):
    return subprocess.run(["openssl", *words], input=given, capture_output=True, check=True).stdout


RSA = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
ED25519 = openssl("genpkey", "-algorithm", "ED25519")


def public_text(pem):
    der = openssl("pkey", "-pubout", "-outform", "DER", given=pem)
    return base64.b64encode(der[-32:] if pem is ED25519 else der).decode()


def strings(text):
    return " ".join(f'"{text[at:at + 200]}"' for at in range(0, len(text), 200))


ZONES = {"test": f"""
sel._domainkey.good TXT {strings("v=DKIM1; p=" + public_text(RSA))}
ed._domainkey.good  TXT {strings("v=DKIM1; k=ed25519; p=" + public_text(ED25519))}
"""}

SIGNS = """
    SmtpPlugin relay
    SmtpPlugin dkim
    SmtpPlugin rcpt_ok
    SmtpPlugin queue/maildir "@maildir@"
"""
VERIFIES = """
    SmtpPlugin dkim reject=yes timeout=2s
    SmtpPlugin rcpt_ok
    SmtpPlugin queue/maildir "@maildir@"
"""


def signing_host(server, plugins=SIGNS, **more):
    host = server.smtp(plugins, control={"relayclients": "127.0.0.1\n"}, **more)
    folder = host.control / "dkim" / "good.test"
    folder.mkdir(parents=True)
    for name, content in {"private": RSA, "selector": b"sel\n", "private-ed25519": ED25519, "selector-ed25519": b"ed\n"}.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    (host.control / "dkim").chmod(0o700)  # root reads the keys, before httpd changes its user
    return host


def sent(host, message, source="127.0.0.1", code=250, **words):
    with Client(host.port, source=source) as client:
        client.ehlo()
        client.deliver(message, **words).expect(code)
        client.quit()
    return host.maildir.only().raw if code == 250 else None


def results(raw):
    value = re.search(rb"(?ims)^Authentication-Results:(.*?)\r\n(?![ \t])", raw)
    return re.sub(r"\s+", " ", value[1].decode()) if value else ""


def test_signed_here_passes_there(make_server, mpm, nsd):
    server = make_server(mpm)
    signs = signing_host(server)
    verifies = server.smtp(VERIFIES, f"SmtpResolver {nsd.address} timeout=1s tries=2")
    server.start()
    signed = sent(signs, MESSAGE)
    assert signed.count(b"DKIM-Signature:") == 2 and signed.endswith(MESSAGE)
    server.expect_log(r"dkim: signed as good\.test \(sel, rsa-sha256\)")
    received = sent(verifies, signed, source="127.0.0.3")
    assert received.endswith(signed)
    assert results(received).count("dkim=pass") == 2 and "header.d=good.test" in results(received)
    # A field that claims to be ours is renamed after it was hashed; one that another server signed as well.
    verifies.maildir.clear()
    forged = b"Authentication-Results: mx.example.com; dkim=pass header.d=bank.test\r\n" + signed
    received = sent(verifies, forged, source="127.0.0.3")
    assert b"Original-Authentication-Results: mx.example.com; dkim=pass header.d=bank.test" in received
    assert "bank.test" not in results(received) and results(received).count("dkim=pass") == 2
    for wrong in (signed.replace(b"bye", b"buy"), signed.replace(b"dinner", b"supper"), b"Subject: added\r\n" + signed):
        verifies.maildir.clear()
        sent(verifies, wrong, source="127.0.0.3", code=550)
    server.expect_log(r"dkim: fail: good\.test: fail, body hash does not match")
    sent(verifies, MESSAGE, source="127.0.0.3")  # unsigned mail is not refused


def test_chunks_and_large_messages(make_server, nsd):
    server = make_server("event")
    signs = signing_host(server, lines="SmtpSpoolThreshold 64k\nSmtpMaxMessageSize 80m")
    verifies = server.smtp(VERIFIES, f"SmtpResolver {nsd.address} timeout=1s tries=2\nSmtpSpoolThreshold 64k\nSmtpMaxMessageSize 80m")
    server.start()
    large = MESSAGE + b"A line  of text \r\n" * 500_000
    signed = sent(signs, large)
    assert signed.endswith(large)
    received = sent(verifies, signed, source="127.0.0.3")
    assert results(received).count("dkim=pass") == 2
    verifies.maildir.clear()
    with Client(verifies.port, source="127.0.0.3") as client:  # BDAT, in pieces that end anywhere
        client.ehlo()
        small = signed[:signed.index(b"\r\n\r\n") + 4] + b"x"
        client.envelope()
        for at in range(0, len(small), 97):
            piece = small[at:at + 97]
            last = " LAST" if at + 97 >= len(small) else ""
            client.send(f"BDAT {len(piece)}{last}\r\n".encode() + piece)
            client.reply().expect(550 if last else 250)
    server.expect_log(r"dkim: fail: good\.test: fail, body hash does not match")


def test_a_silent_name_server_is_no_verdict(make_server, mpm):
    server = make_server(mpm)
    signs = signing_host(server)
    with HostileServer() as dns:
        verifies = server.smtp("SmtpPlugin dkim reject=yes timeout=500ms onerror=tempfail\nSmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir \"@maildir@\"",
                               f"SmtpResolver {dns.address} timeout=1s tries=1")
        server.start()
        signed = sent(signs, MESSAGE)
        silent = signed.replace(b"s=sel;", b"s=silent;").replace(b"s=ed;", b"s=silent;")
        sent(verifies, silent, source="127.0.0.3", code=451)
    server.expect_log(r"dkim: error: good\.test: temperror, key: ")


def test_sealed_here_passes_there(make_server, nsd):
    server = make_server("event")
    seals = signing_host(server, SIGNS.replace("SmtpPlugin dkim", "SmtpPlugin dkim\n    SmtpPlugin arc seal=always domain=good.test"))
    verifies = server.smtp("SmtpPlugin dkim\nSmtpPlugin arc reject=yes trusted=good.test\nSmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir \"@maildir@\"",
                           f"SmtpResolver {nsd.address} timeout=1s tries=2")
    server.start()
    sealed = sent(seals, MESSAGE)
    assert sealed.index(b"ARC-Seal: i=1;") < sealed.index(b"ARC-Message-Signature: i=1;") < sealed.index(b"ARC-Authentication-Results: i=1;") \
        < sealed.index(b"DKIM-Signature: v=1;")
    received = sent(verifies, sealed, source="127.0.0.3")
    assert "arc=pass (i=1 d=good.test, trusted since i=1) header.oldest-pass=0" in results(received) and results(received).count("dkim=pass") == 2
    sent(verifies, sealed.replace(b"dinner", b"supper"), source="127.0.0.3", code=550)
    server.expect_log(r"arc: sealed by good\.test \(sel, rsa-sha256\)")
    server.expect_log(r"arc: fail: ARC-Message-Signature 1: signature does not verify")


def test_foreign_clients_are_not_signed(make_server):
    server = make_server("event")
    host = signing_host(server)
    server.start()
    assert b"DKIM-Signature" not in sent(host, MESSAGE, source="127.0.0.3")


def test_configtest_reads_the_keys(make_server):
    server = make_server("event")
    host = signing_host(server)
    key = host.control / "dkim" / "good.test" / "private"
    assert server.configtest()[0]
    key.chmod(0o644)
    is_content, told = server.configtest()
    assert is_content and "every user of this machine can read it; say: chmod o-rwx" in told
    key.write_text("no key")
    key.chmod(0o600)
    is_content, told = server.configtest()
    assert not is_content and f"{key}: it is no private key in PEM" in told

"""DKIM against other implementations: what dkimpy and Mail::DKIM sign verifies here, and what smtpd-auth signs verifies there, for all
canonical forms and for bodies and fields that are hard to get right."""

import base64
import itertools
import json
import os
import subprocess

import pytest

import sanitizers
import smtpd_env
from smtpd_env import SLOWDOWN

COMMAND = sanitizers.build_dir() / "tools" / "smtpd-auth"
FORMS = [f"{header}/{body}" for header in ("simple", "relaxed") for body in ("simple", "relaxed")]
FIELDS = b"From: Joe <joe@example.org>\r\nTo: sue@example.net\r\nSubject: dinner\r\nDate: Thu, 9 Oct 2025 08:53:20 +0000\r\nMessage-ID: <1@example.org>\r\n"

BODIES = {
    "plain": b"Hello\r\n",
    "empty": b"",
    "one empty line": b"\r\n",
    "empty lines": b"\r\n\r\n\r\n",
    "empty lines within and behind": b"a\r\n\r\n\r\nb\r\n\r\n\r\n",
    "blanks at line ends": b"a \r\nb\t\r\n \t\r\nc  \r\n",
    "lines of blanks at the end": b"a\r\n \r\n\t\r\n",
    "runs of blanks": b" a  b\t\tc \t d\r\n  \tindented\r\n",
    "8 bits": "Grüße, 日本語\r\n".encode() + bytes(range(0x80, 0x100)) + b"\r\n",
    "a long line": b"x" * 100_000 + b"\r\n",
    "many lines": b"".join(b"line %d  of  many \r\n" % number for number in range(5000)),
    "dots": b".\r\n..\r\n.a\r\n",
}
HEADERS = {
    "folded": FIELDS.replace(b"Subject: dinner", b"Subject: dinner\r\n\tat\r\n   eight"),
    "blanks": FIELDS.replace(b"Subject: dinner", b"Subject:  a \t  b  "),
    "no blank": FIELDS.replace(b"Subject: dinner", b"Subject:dinner"),
    "empty value": FIELDS.replace(b"Subject: dinner", b"Subject:"),
    "8 bits": FIELDS.replace(b"dinner", "Grüße".encode()),
    "cases": FIELDS.replace(b"Subject", b"sUBJECT"),
    "several of a name": b"Received: one\r\nReceived: two\r\n" + FIELDS + b"X-A: 1\r\nX-A: 2\r\n",
}
MESSAGES = {f"body: {name}": FIELDS + b"\r\n" + body for name, body in BODIES.items()}
MESSAGES |= {f"header: {name}": fields + b"\r\nHello\r\n" for name, fields in HEADERS.items()}


def openssl(*words, given=None):
    return subprocess.run(["openssl", *words], input=given, capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A folder with rsa.pem, ed.pem, zone.json, and the records as names and texts."""
    folder = tmp_path_factory.mktemp("keys")
    (folder / "rsa.pem").write_bytes(openssl("genrsa", "-traditional", "2048"))
    (folder / "ed.pem").write_bytes(openssl("genpkey", "-algorithm", "ED25519"))
    public = {name: openssl("pkey", "-in", str(folder / f"{name}.pem"), "-pubout", "-outform", "DER") for name in ("rsa", "ed")}
    texts = {"rsa._domainkey.example.org": "v=DKIM1; p=" + base64.b64encode(public["rsa"]).decode(),
             "ed._domainkey.example.org": "v=DKIM1; k=ed25519; p=" + base64.b64encode(public["ed"][-32:]).decode()}
    (folder / "zone.json").write_text(json.dumps({"zonedata": {name: [{"TXT": text}] for name, text in texts.items()}}))
    return folder, texts


def smtpd_auth(*arguments, message):
    done = subprocess.run([*sanitizers.command_prefix(smtpd_env.BUILD), str(COMMAND), *map(str, arguments)], input=message, capture_output=True,
                          timeout=60 * SLOWDOWN, env={**os.environ, **sanitizers.environment(smtpd_env.BUILD)})
    assert done.returncode == 0 and not done.stderr, (arguments, done.returncode, done.stderr)
    return done.stdout


def verdict_here(keys, message):
    signatures = json.loads(smtpd_auth("dkim", "--zone", keys[0] / "zone.json", message=message))["signatures"]
    return [(one["result"], one["reason"]) for one in signatures]


def signed_here(keys, message, form, key="rsa", *more):
    return smtpd_auth("dkim-sign", "--domain", "example.org", "--selector", key, "--key", keys[0] / f"{key}.pem", "--canon", form, *more, message=message) + message


ALL = list(itertools.product(MESSAGES, FORMS))


def test_dkimpy_agrees(keys):
    dkim = pytest.importorskip("dkim")

    def answer(name, timeout=5):
        return keys[1].get(name.decode().rstrip("."), "").encode() or None

    wrong = []
    for name, form in ALL:
        header, body = form.encode().split(b"/")
        message = MESSAGES[name]
        if not dkim.verify(signed_here(keys, message, form), dnsfunc=answer):
            wrong.append(f"{name}, {form}: dkimpy does not take our signature")
        signed = dkim.sign(message, b"rsa", b"example.org", (keys[0] / "rsa.pem").read_bytes(), canonicalize=(header, body)) + message
        if (got := verdict_here(keys, signed)) != [("pass", "")]:
            wrong.append(f"{name}, {form}: dkimpy's signature is {got}")
    assert not wrong, "\n".join(wrong)


def test_dkimpy_agrees_about_ed25519(keys):
    dkim = pytest.importorskip("dkim")
    pytest.importorskip("nacl")
    seed = openssl("pkey", "-in", str(keys[0] / "ed.pem"), "-outform", "DER")[-32:]
    for form in FORMS:
        header, body = form.encode().split(b"/")
        message = MESSAGES["body: runs of blanks"]
        assert dkim.verify(signed_here(keys, message, form, "ed"), dnsfunc=lambda name, timeout=5: keys[1][name.decode().rstrip(".")].encode())
        signed = dkim.sign(message, b"ed", b"example.org", base64.b64encode(seed), canonicalize=(header, body), signature_algorithm=b"ed25519-sha256") + message
        assert verdict_here(keys, signed) == [("pass", "")]


MAIL_DKIM = r"""
use strict; use warnings;
use Mail::DKIM::Verifier; use Mail::DKIM::Signer; use Net::DNS; use JSON::PP;
my $texts = decode_json($ENV{TEXTS});
{ no warnings 'redefine';
  *Mail::DKIM::DNS::query = sub {
      my ($name) = @_;
      return exists $texts->{$name} ? (Net::DNS::RR->new(name => $name, type => 'TXT', txtdata => [$texts->{$name} =~ /(.{1,200})/g])) : ();
  }; }
binmode STDIN; binmode STDOUT; my $message = do { local $/; <STDIN> };
if ($ARGV[0] eq 'verify') {
    my $dkim = Mail::DKIM::Verifier->new; $dkim->PRINT($message); $dkim->CLOSE; print $dkim->result_detail;
} else {
    my $dkim = Mail::DKIM::Signer->new(Algorithm => 'rsa-sha256', Method => $ARGV[1], Domain => 'example.org', Selector => 'rsa', KeyFile => $ARGV[2]);
    $dkim->PRINT($message); $dkim->CLOSE; my $field = $dkim->signature->as_string; $field =~ s/(?<!\r)\n/\r\n/g; print "$field\r\n";
}
"""


def mail_dkim(keys, *words, message):
    return subprocess.run(["perl", "-e", MAIL_DKIM, *map(str, words)], input=message, capture_output=True, check=True, timeout=60 * SLOWDOWN,
                          env={**os.environ, "TEXTS": json.dumps(keys[1])}).stdout


def test_mail_dkim_agrees(keys):
    if subprocess.run(["perl", "-MMail::DKIM", "-MJSON::PP", "-e", "1"], capture_output=True).returncode != 0:
        pytest.skip("there is no Mail::DKIM")
    wrong = []
    for name, form in ALL[::3]:
        message = MESSAGES[name]
        if (got := mail_dkim(keys, "verify", message=signed_here(keys, message, form))) != b"pass":
            wrong.append(f"{name}, {form}: Mail::DKIM says about ours: {got}")
        signed = mail_dkim(keys, "sign", form, keys[0] / "rsa.pem", message=message) + message
        if (got := verdict_here(keys, signed)) != [("pass", "")]:
            wrong.append(f"{name}, {form}: Mail::DKIM's signature is {got}")
    assert not wrong, "\n".join(wrong)


"""smtpd-auth: its calls, its zones, its exit statuses."""

import base64
import email
import json
import os
import subprocess

import pytest

import sanitizers
import smtpd_env
from smtpd_env import SLOWDOWN

COMMAND = sanitizers.build_dir() / "tools" / "smtpd-auth"


def run(*arguments, **named):
    return subprocess.run(
        [*sanitizers.command_prefix(smtpd_env.BUILD), str(COMMAND), *map(str, arguments)],
        capture_output=True,
        timeout=60 * SLOWDOWN,
        env={**os.environ, **sanitizers.environment(smtpd_env.BUILD)},
        **named,
    )


def result(*arguments, **named):
    done = run(*arguments, **named)
    assert done.returncode == 0 and not done.stderr, (done.returncode, done.stderr)
    assert done.stdout.count(b"\n") == 1
    return json.loads(done.stdout)


SRS = ("--secret", "geheim", "--now", "1790000000")


def test_srs_goes_there_and_back(tmp_path):
    there = result("srs", "forward", "bob@b.example", "--domain", "us.example", *SRS)
    assert (
        there["result"] == "pass"
        and there["address"].startswith("SRS0=")
        and there["address"].endswith("=b.example=bob@us.example")
    )
    assert result("srs", "reverse", there["address"], *SRS) == {"result": "pass", "address": "bob@b.example"}
    secrets = tmp_path / "secrets"
    secrets.write_text("# the new one first\nneu\ngeheim\n")
    assert (
        result("srs", "reverse", f"<{there['address']}>", f"--secret-file={secrets}", "--now=1790000000")["address"]
        == "bob@b.example"
    )
    forged = result("srs", "reverse", there["address"].replace("bob", "rob"), *SRS)
    assert forged == {"result": "fail", "reason": "the hash is not ours"}


def test_spf_says_what_decided(tmp_path):
    zone = tmp_path / "zone"
    zone.write_text(
        """$ORIGIN example.com.
@    TXT "v=spf1 a:mail.example.com " "-all exp=why.%{d}"
mail A   192.0.2.1
why  TXT "ask %{r} at %{t}"
"""
    )
    call = (
        "spf",
        "--zone",
        zone,
        "--helo",
        "mail.example.com",
        "--mail-from",
        "bob@example.com",
        "--receiver",
        "us.example",
        "--now",
        "7",
    )
    good = result(*call, "--ip", "192.0.2.1")
    assert (good["result"], good["mechanism"], good["identity"], good["lookups"], good["void"]) == (
        "pass",
        "a:mail.example.com",
        "mailfrom",
        1,
        0,
    )
    assert good["received_spf"].startswith(
        "Received-SPF: pass (us.example: domain of bob@example.com designates 192.0.2.1 as permitted sender)"
    )
    bad = result(*call, "--ip=2001:db8::1")
    assert (bad["result"], bad["explanation"], bad["void"]) == ("fail", "ask us.example at 7", 1)
    assert result("spf", "--zone", zone, "--helo", "example.com", "--ip", "192.0.2.1")["identity"] == "helo"
    null = result("spf", "--zone", zone, "--helo", "example.com", "--ip", "192.0.2.1", "--mail-from", "")
    assert (null["identity"], null["domain"], null["result"]) == ("mailfrom", "example.com", "pass")


def test_ar_parse_reads_a_field():
    field = b'Authentication-Results: (x) mx.example 1;\r\n\tspf=pass (ok; really) smtp.mailfrom="a b"@c.example\r\nSubject: x\r\n'
    parsed = result("ar-parse", "--authserv-id", "MX.example", input=field)
    assert parsed == {
        "valid": True,
        "authserv_id": "mx.example",
        "version": 1,
        "claims_id": True,
        "results": [
            {
                "method": "spf",
                "version": 1,
                "result": "pass",
                "reason": "",
                "comment": "ok; really",
                "properties": [{"type": "smtp", "name": "mailfrom", "value": "a b@c.example"}],
            }
        ],
    }
    assert result("ar-parse", input=b"mx.example; none\n")["results"] == []
    broken = result("ar-parse", "--authserv-id", "mx.example", input=b"oops; spf; mx.example")
    assert broken == {"valid": False, "problem": 'octet 9: "=" is missing behind the method', "claims_id": True}


@pytest.mark.parametrize(
    "call, status, complaint",
    [
        (["spf", "--ip", "192.0.2"], 64, '--ip takes an IP address, not "192.0.2"'),
        (["spf"], 64, "spf needs --ip ADDRESS"),
        (["spf", "--ip", "192.0.2.1", "--zone", "/nowhere/zone"], 66, "/nowhere/zone"),
        (["spf", "--ip", "192.0.2.1", "--zone", "/etc/passwd"], 65, "--zone /etc/passwd: line 1: "),
        (["spf", "--ip", "192.0.2.1", "--void", "-1"], 64, "--void takes a number from 0 to 1000"),
        (["spf", "--ip", "192.0.2.1", "--resolver", "127.0.0.1:0"], 64, "--resolver takes HOST:PORT"),
        ([], 64, "usage: smtpd-auth"),
        (["srs"], 64, "a word is missing: srs takes forward|reverse ADDRESS"),
        (["srs", "forward", "a@b.example", "more"], 64, 'unexpected word "more"'),
        (["srs", "sideways", "a@b.example", "--secret", "x"], 64, 'not "sideways"'),
        (
            ["srs", "forward", "a@b.example", "--domain", "x.example"],
            64,
            "srs needs --secret-file FILE or --secret TEXT",
        ),
        (
            ["srs", "forward", "a@b.example", "--sekret", "x"],
            64,
            'unknown option "--sekret" (did you mean "--secret"?)',
        ),
        (["srs", "forward", "a@b.example", "--secret"], 64, "--secret needs a value: TEXT"),
        (
            ["srs", "forward", "a@b.example", "--secret", "x", "--now", "soon", "--domain", "x.example"],
            64,
            "--now takes a number",
        ),
        (
            ["srs", "forward", "a@b.example", "--secret-file", "/nowhere/at/all", "--domain", "x.example"],
            66,
            "/nowhere/at/all",
        ),
        (
            ["srs", "forward", "a@b.example", "--zone", "x", "--resolver", "127.0.0.1:53"],
            64,
            "--resolver and --zone exclude each other",
        ),
        (["srz"], 64, 'unknown command "srz" (did you mean "srs"?)'),
    ],
)
def test_a_wrong_call_is_named_and_has_a_status_of_64_and_up(call, status, complaint):
    done = run(*call)
    assert (done.returncode, done.stdout) == (status, b"")
    assert complaint in done.stderr.decode()


def test_a_result_that_cannot_be_written_is_an_error():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [str(COMMAND), "srs", "reverse", "a@b.example", *SRS], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 74 and b"cannot be written" in done.stderr


MESSAGE = b"From: Joe <joe@example.org>\r\nTo: sue@example.net\r\nSubject: dinner\r\n\r\nAt eight.\r\n"


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """(a zone with SPF, a key and a policy of example.org, MESSAGE signed with that key)"""
    folder = tmp_path_factory.mktemp("signed")
    key, zone = folder / "key.pem", folder / "zone"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, capture_output=True)
    public = subprocess.run(
        ["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], check=True, capture_output=True
    ).stdout[-32:]
    zone.write_text(
        "example.org TXT v=spf1 ip4:192.0.2.1 -all\n"
        f"sel._domainkey.example.org TXT v=DKIM1; k=ed25519; p={base64.b64encode(public).decode()}\n"
        "_dmarc.example.org TXT v=DMARC1; p=reject\n"
    )
    sign = ["dkim-sign", "--domain", "example.org", "--selector", "sel", "--key", key, "--canon", "relaxed/relaxed"]
    field = run(*sign, "--headers", "from:to:subject", input=MESSAGE).stdout
    assert field.startswith(b"DKIM-Signature: ")
    return zone, field + MESSAGE


def check(zone, message, *options):
    """The fields that `check` prints, unfolded."""
    about = ("--zone", zone, "--authserv-id", "mx.example.net", "--helo", "out.example.org")
    done = run("check", *about, *options, input=message)
    assert (done.returncode, done.stderr) == (0, b"")
    assert not done.stdout.replace(b"\r\n", b"").count(b"\n"), "every line ends in CRLF"
    fields = email.message_from_bytes(done.stdout)
    assert fields.keys() == ["Received-SPF", "Authentication-Results"]
    return [" ".join(value.split()) for value in fields.values()]


def test_check_prints_the_fields_of_the_plugins(signed):
    zone, message = signed
    spf, results = check(zone, message, "--ip", "192.0.2.1", "--mail-from", "joe@example.org")
    assert spf.startswith("pass ") and "client-ip=192.0.2.1" in spf
    assert results.startswith("mx.example.net; spf=pass smtp.mailfrom=example.org; dkim=pass ")
    for part in ("header.d=example.org", "header.s=sel", "; arc=none", "; dmarc=pass (p=reject dis=none) "):
        assert part in results, results


def test_check_of_mail_that_claims_too_much(signed):
    zone, message = signed
    forged = message.replace(b"At eight.", b"At nine.")
    spf, results = check(zone, forged, "--ip", "203.0.113.9", "--mail-from", "joe@example.org")
    assert spf.startswith("fail ")
    for part in (
        "spf=fail",
        "dkim=fail",
        "dmarc=fail (p=reject dis=reject) header.from=example.org policy.dmarc=reject",
    ):
        assert part in results, results
    _, results = check(zone, b"From: a@one.example, b@two.example\r\n\r\n", "--ip", "203.0.113.9", "--mail-from", "")
    assert "dkim=none" in results and "dmarc=permerror" in results, results

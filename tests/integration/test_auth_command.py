"""smtpd-auth: its calls, its zones, its exit statuses."""

import json
import os
import subprocess

import pytest

import sanitizers
import smtpd_env
from smtpd_env import SLOWDOWN

COMMAND = sanitizers.build_dir() / "tools" / "smtpd-auth"


def run(*arguments, **named):
    return subprocess.run([*sanitizers.command_prefix(smtpd_env.BUILD), str(COMMAND), *map(str, arguments)], capture_output=True, timeout=60 * SLOWDOWN,
                          env={**os.environ, **sanitizers.environment(smtpd_env.BUILD)}, **named)


def result(*arguments, **named):
    done = run(*arguments, **named)
    assert done.returncode == 0 and not done.stderr, (done.returncode, done.stderr)
    assert done.stdout.count(b"\n") == 1
    return json.loads(done.stdout)


SRS = ("--secret", "geheim", "--now", "1790000000")


def test_srs_goes_there_and_back(tmp_path):
    there = result("srs", "forward", "bob@b.example", "--domain", "us.example", *SRS)
    assert there["result"] == "pass" and there["address"].startswith("SRS0=") and there["address"].endswith("=b.example=bob@us.example")
    assert result("srs", "reverse", there["address"], *SRS) == {"result": "pass", "address": "bob@b.example"}
    secrets = tmp_path / "secrets"
    secrets.write_text("# the new one first\nneu\ngeheim\n")
    assert result("srs", "reverse", f"<{there['address']}>", f"--secret-file={secrets}", "--now=1790000000")["address"] == "bob@b.example"
    forged = result("srs", "reverse", there["address"].replace("bob", "rob"), *SRS)
    assert forged == {"result": "fail", "reason": "the hash is not ours"}


@pytest.mark.parametrize("call, status, complaint", [
    ([], 64, "usage: smtpd-auth"),
    (["srs"], 64, "a word is missing: srs takes forward|reverse ADDRESS"),
    (["srs", "forward", "a@b.example", "more"], 64, 'unexpected word "more"'),
    (["srs", "sideways", "a@b.example", "--secret", "x"], 64, 'not "sideways"'),
    (["srs", "forward", "a@b.example", "--domain", "x.example"], 64, "srs needs --secret-file FILE or --secret TEXT"),
    (["srs", "forward", "a@b.example", "--sekret", "x"], 64, 'unknown option "--sekret" (did you mean "--secret"?)'),
    (["srs", "forward", "a@b.example", "--secret"], 64, "--secret needs a value: TEXT"),
    (["srs", "forward", "a@b.example", "--secret", "x", "--now", "soon", "--domain", "x.example"], 64, '--now takes a number'),
    (["srs", "forward", "a@b.example", "--secret-file", "/nowhere/at/all", "--domain", "x.example"], 66, "/nowhere/at/all"),
    (["srs", "forward", "a@b.example", "--zone", "x", "--resolver", "127.0.0.1:53"], 64, "--resolver and --zone exclude each other"),
    (["srz"], 64, 'unknown command "srz" (did you mean "srs"?)'),
])
def test_a_wrong_call_is_named_and_has_a_status_of_64_and_up(call, status, complaint):
    done = run(*call)
    assert (done.returncode, done.stdout) == (status, b"")
    assert complaint in done.stderr.decode()


def test_a_result_that_cannot_be_written_is_an_error():
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(COMMAND), "srs", "reverse", "a@b.example", *SRS], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 74 and b"cannot be written" in done.stderr

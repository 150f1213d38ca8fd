"""Signed messages of foreign test data, run through smtpd-auth: DKIM (259 cases) and the public test suite of ARC (171 and 17).

The data are not part of the project: SMTPD_SUITES names the folder that has them (dkim/cases.json, arc/arc-draft-*.yml); without it the tests skip.
"""

import concurrent.futures
import json
import os
import re
import subprocess

import pytest

import sanitizers
import smtpd_env
from smtpd_env import SLOWDOWN

yaml = pytest.importorskip("yaml")

COMMAND = sanitizers.build_dir() / "tools" / "smtpd-auth"
TROUBLE = {"TIMEOUT": "TIMEOUT", "SERVFAIL": {"RCODE": 2}, "NXDOMAIN": {"RCODE": 3}}


def run(*arguments, message):
    done = subprocess.run([*sanitizers.command_prefix(smtpd_env.BUILD), str(COMMAND), *map(str, arguments)], input=message, capture_output=True,
                          timeout=60 * SLOWDOWN, env={**os.environ, **sanitizers.environment(smtpd_env.BUILD)})
    assert done.returncode == 0 and not done.stderr, (arguments, done.returncode, done.stderr)
    return done.stdout


def write_zone(path, texts):
    """texts: name → TXT, a list of TXT, or a word of TROUBLE."""
    zone = {}
    for name, text in texts.items():
        zone[name] = [TROUBLE[one] if isinstance(one, str) and one in TROUBLE else {"TXT": one} for one in (text if isinstance(text, list) else [text])]
    path.write_text(json.dumps({"zonedata": zone}))
    return path


def all_of(function, jobs):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda job: function(*job), jobs))


def test_every_signature_has_a_result_that_counts_as_right(suites, tmp_path):
    cases = json.loads((suites / "dkim" / "cases.json").read_text())

    def complaint(number, case):
        message = (suites / "dkim" / "msg" / case["file"].removeprefix("msg/")).read_bytes()
        zone = write_zone(tmp_path / f"zone-{number}.json", case["dns"])
        got = json.loads(run("dkim", "--zone", zone, "--now", case["now"], message=message))["signatures"]
        want = case["signatures"]
        is_right = len(got) == len(want) and all(one["result"] in other["accept"] for one, other in zip(got, want))
        is_right = is_right and all(one["testing"] == bool(other.get("testing")) for one, other in zip(got, want))
        return None if is_right else f"{case['name']}: {got} instead of {want}"

    results = all_of(complaint, list(enumerate(cases)))
    assert len(results) == 259
    assert not any(results), "\n".join(filter(None, results))


def arc_tests(suites, kind):
    with open(suites / "arc" / f"arc-draft-{kind}-tests.yml", encoding="utf-8") as text:
        for document in yaml.safe_load_all(text):
            for name, test in document["tests"].items():
                yield document, name, test, test["message"].replace("\n", "\r\n").encode()


def test_every_chain_has_the_stated_result(suites, tmp_path):
    def complaint(number, document, name, test, message):
        zone = write_zone(tmp_path / f"zone-{number}.json", document["txt-records"] or {})
        got = json.loads(run("arc", "--zone", zone, message=message))["cv"]
        want = [test["cv"].lower()] if test["cv"] else ["fail", "none"]
        return None if got in want else f"{name}: {got} instead of {want}"

    results = all_of(complaint, [(number, *test) for number, test in enumerate(arc_tests(suites, "validation"))])
    assert len(results) == 171
    assert not any(results), "\n".join(filter(None, results))


def test_every_seal_is_that_of_the_suite(suites, tmp_path):
    def without_blanks(text):
        return re.sub(r"\s", "", text or "")

    def complaint(number, document, name, test, message):
        zone = write_zone(tmp_path / f"zone-{number}.json", document["txt-records"] or {})
        key = tmp_path / f"key-{number}.pem"
        key.write_text(document["privatekey"])
        printed = run("arc-seal", "--zone", zone, "--domain", document["domain"], "--selector", document["sel"], "--key", key, "--authserv-id", test["srv-id"],
                      "--headers", test["sig-headers"], "--time", test["t"], "--layout", "standard", message=message).decode()
        got = dict(re.findall(r"(?ms)^(ARC-[A-Za-z-]+): (.*?)\r\n(?![ \t])", printed))
        for field, tag in (("ARC-Seal", "AS"), ("ARC-Message-Signature", "AMS"), ("ARC-Authentication-Results", "AAR")):
            if without_blanks(got.get(field)) != without_blanks(test[tag]):
                return f"{name}: {field}: {got.get(field)!r} instead of {test[tag]!r}"
        return None

    results = all_of(complaint, [(number, *test) for number, test in enumerate(arc_tests(suites, "sign"))])
    assert len(results) == 17
    assert not any(results), "\n".join(filter(None, results))

"""Foreign cases for DMARC, run through smtpd-auth and smtpd-dmarc-report: results for both RFCs, destinations of reports, and the tests of
publicsuffix.org. They are not part of the project: SMTPD_SUITES names the folder that has them (dmarc/cases.json and so on); without it the tests
skip."""

import json
import re
import subprocess

import pytest

import sanitizers

TOOLS = sanitizers.build_dir() / "tools"


def call(program, *arguments):
    run = subprocess.run([TOOLS / program, *arguments], capture_output=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr.decode()
    return json.loads(run.stdout)


def zone_file(folder, zone):
    file = folder / "zone.json"
    file.write_text(json.dumps({"zonedata": zone}))
    return str(file)


def supports_psl():
    run = subprocess.run([TOOLS / "smtpd-auth", "orgdomain", "--rfc", "7489", "example.com"], capture_output=True, timeout=60, check=False)
    return b"built without libpsl" not in run.stderr


def dmarc(rfc, case, folder, suites):
    arguments = ["dmarc", "--rfc", rfc, "--zone", zone_file(folder, case["zone"])]
    if rfc == "7489":
        arguments += ["--psl", str(suites / "dmarc" / "psl.dat")]
    for domain in case["from"]:
        arguments += ["--from", domain]
    if "spf" in case:
        scope = ":helo" if case["spf"].get("scope") == "helo" else ""
        arguments += ["--spf", f"{case['spf']['domain']}:{case['spf']['result']}{scope}"]
    for one in case["dkim"]:
        arguments += ["--dkim", f"{one['domain']}:{one['result']}"]
    return call("smtpd-auth", *arguments)


@pytest.mark.parametrize("rfc", ["9989", "7489"])
def test_results(suites, tmp_path, rfc):
    if rfc == "7489" and not supports_psl():
        pytest.skip("built without libpsl")
    cases = json.loads((suites / "dmarc" / "cases.json").read_text())
    wrong = []
    for case in cases:
        expected = case["expect"].get(rfc)
        if expected is None:
            continue
        found = dmarc(rfc, case, tmp_path, suites)
        good = found["result"] in expected["accept"]
        if good and found["result"] == expected["result"] and found["result"] in ("pass", "fail"):
            good = all(found[key] == expected[key] for key in ("org_domain", "policy_domain", "policy", "disposition", "aligned"))
        if not good:
            wrong.append((case["name"], expected, found))
    assert len(cases) > 100 and not wrong, wrong


def test_destinations_of_reports(suites, tmp_path):
    cases = json.loads((suites / "dmarc" / "external.json").read_text())
    wrong = []
    for case in cases:
        found = call("smtpd-dmarc-report", "destinations", "--zone", zone_file(tmp_path, case["zone"]), "--rua", case["rua"], case["policy_domain"])
        may_change = any(refused["retry"] for refused in found["refused"])
        if found["send_to"] != case["send_to"] or may_change != case.get("retry", False):
            wrong.append((case, found))
    assert len(cases) > 10 and not wrong, wrong


def test_public_suffixes(suites):
    if not supports_psl():
        pytest.skip("built without libpsl")
    rows = re.findall(r"^checkPublicSuffix\((?:null|'(.*)'), (?:null|'(.*)')\);", (suites / "psl" / "test_psl.txt").read_text(), re.MULTILINE)
    wrong = []
    for domain, expected in rows:
        found = call("smtpd-auth", "orgdomain", "--rfc", "7489", domain)["registrable_domain"]
        if (found or "") != expected:
            wrong.append((domain, expected, found))
    assert len(rows) > 50 and not wrong, wrong

"""The test suite of RFC 7208 (openspf.org, 203 cases), run through smtpd-auth spf.

The suite is not part of the project: SMTPD_SUITES names the folder that has it (spf/rfc7208-tests.yml); without it the test skips. Each scenario's zone
becomes a file of JSON. The suite's limits of void answers are RFC 7208's.
"""

import concurrent.futures
import json
import os
import subprocess

import pytest

import sanitizers
import smtpd_env
from smtpd_env import SLOWDOWN

yaml = pytest.importorskip("yaml")

COMMAND = sanitizers.build_dir() / "tools" / "smtpd-auth"
NO_EXPLANATION = "DEFAULT"  # what the suite calls it


def scenarios(folder):
    with open(folder / "spf" / "rfc7208-tests.yml", encoding="utf-8") as text:
        return [scenario for scenario in yaml.safe_load_all(text) if scenario]


def check(zone, test):
    call = [*sanitizers.command_prefix(smtpd_env.BUILD), str(COMMAND), "spf", "--zone", str(zone), "--ip", str(test["host"]),
            "--helo", str(test["helo"]), "--mail-from", str(test["mailfrom"])]
    done = subprocess.run(call, capture_output=True, timeout=60 * SLOWDOWN, env={**os.environ, **sanitizers.environment(smtpd_env.BUILD)})
    assert done.returncode == 0 and not done.stderr, (call, done.returncode, done.stderr)
    return json.loads(done.stdout)


def complaint(name, test, got):
    wanted = test["result"] if isinstance(test["result"], list) else [test["result"]]
    if got["result"] not in wanted:
        return f"{name}: {got['result']} instead of {' or '.join(wanted)}: {got}"
    explanation = test.get("explanation")
    if explanation is not None and got["result"] == "fail":
        if got["explanation"] != (explanation if explanation != NO_EXPLANATION else ""):
            return f"{name}: explanation {got['explanation']!r} instead of {explanation!r}"
    return None


def test_every_case_of_the_suite_has_its_result(suites, tmp_path):
    jobs = []
    for number, scenario in enumerate(scenarios(suites)):
        zone = tmp_path / f"zone-{number}.json"
        zone.write_text(json.dumps({"zonedata": scenario["zonedata"]}))
        jobs += [(name, zone, test) for name, test in scenario["tests"].items()]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda job: check(job[1], job[2]), jobs))
    assert len(results) == 203
    wrong = [text for (name, _, test), got in zip(jobs, results) if (text := complaint(name, test, got))]
    assert not wrong, "\n".join(wrong)

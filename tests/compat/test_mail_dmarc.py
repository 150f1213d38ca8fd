"""DMARC by RFC 7489: smtpd-auth and Debian's Mail::DMARC, which share no code, about the same messages. Records, names and results are drawn at random, the
same ones each time."""

import json
import pathlib
import random
import subprocess

import pytest

import sanitizers

COMMAND = sanitizers.build_dir() / "tools" / "smtpd-auth"
REFEREE = pathlib.Path(__file__).with_name("dmarc_referee.pl")
LIST = pathlib.Path("/usr/share/publicsuffix/public_suffix_list.dat")
CASES = 400

#: Without exceptions of the list of public suffixes (!city.kawasaki.jp), which Mail::DMARC does not know.
ORGANIZATIONS = ["example.com", "example.net", "shop.co.uk", "firm.com.au", "shop.b.kawasaki.jp", "amt.de"]
LABELS = ["mail", "news", "a.b", "x.y.z"]
RESULTS = ["pass", "pass", "fail", "neutral", "none", "softfail", "permerror"]
DKIM_RESULTS = ["pass", "pass", "fail", "neutral"]


def has_referee():
    return subprocess.run(["perl", "-MMail::DMARC::PurePerl", "-MJSON::PP", "-e1"], capture_output=True, check=False).returncode == 0


def a_name(dice, organization):
    return organization if dice.random() < 0.4 else f"{dice.choice(LABELS)}.{organization}"


def a_record(dice):
    tags = ["v=DMARC1", f"p={dice.choice(['none', 'quarantine', 'reject'])}"]
    for name, values in (("sp", ["none", "quarantine", "reject"]), ("adkim", ["r", "s"]), ("aspf", ["r", "s"]), ("pct", ["0", "100"])):
        if dice.random() < 0.4:
            tags.append(f"{name}={dice.choice(values)}")
    return dice.choice(["; ", ";", " ; "]).join(tags)


def a_case(dice):
    organization = dice.choice(ORGANIZATIONS)
    others = [organization] * 4 + ORGANIZATIONS
    author = a_name(dice, organization)
    zone = {}
    for name in {organization, author, f"mail.{organization}"}:
        if dice.random() < 0.6:
            zone[f"_dmarc.{name}"] = [a_record(dice)]
        if dice.random() < 0.1:
            zone.setdefault(f"_dmarc.{name}", []).append("v=spf1 -all")
    return {"zone": zone, "from": author, "spf": {"domain": a_name(dice, dice.choice(others)), "result": dice.choice(RESULTS)},
            "dkim": [{"domain": a_name(dice, dice.choice(others)), "result": dice.choice(DKIM_RESULTS)} for _ in range(dice.randrange(3))]}


def ours(case, folder):
    zone = folder / "zone.json"
    zone.write_text(json.dumps({"zonedata": {name: [{"TXT": text} for text in texts] for name, texts in case["zone"].items()}}))
    call = [COMMAND, "dmarc", "--rfc", "7489", "--psl", LIST, "--zone", zone, "--from", case["from"], "--spf", f"{case['spf']['domain']}:{case['spf']['result']}"]
    for one in case["dkim"]:
        call += ["--dkim", f"{one['domain']}:{one['result']}"]
    done = subprocess.run(call, capture_output=True, timeout=60, check=True)
    return json.loads(done.stdout)


@pytest.mark.skipif(not has_referee(), reason="Mail::DMARC is not installed")
@pytest.mark.skipif(not LIST.exists(), reason="there is no list of public suffixes")
def test_the_results_are_the_same(tmp_path):
    dice = random.Random(7489)
    cases = [a_case(dice) for _ in range(CASES)]
    referee = subprocess.run(["perl", REFEREE, LIST], input="\n".join(map(json.dumps, cases)) + "\n", capture_output=True, text=True, timeout=300, check=True)
    theirs = [json.loads(line) for line in referee.stdout.splitlines()]
    assert len(theirs) == CASES
    wrong, seen = [], set()
    for case, their in zip(cases, theirs):
        our = ours(case, tmp_path)
        seen.add(our["result"])
        agreed = our["result"] == their.get("result") and our["disposition"] == their.get("disposition")
        if agreed and our["result"] == "pass":
            agreed = our["aligned"] == {"spf": their["spf"] == "pass", "dkim": their["dkim"] == "pass"}
        if not agreed:
            wrong.append((case, our, their))
    assert seen == {"none", "pass", "fail"}
    assert not wrong, f"{len(wrong)} differ: {wrong[:5]}"

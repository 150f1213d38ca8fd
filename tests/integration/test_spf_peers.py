"""SPF against two other implementations, on zones that are made up: python3-spf and Mail::SPF.

Where both others agree, we say the same; where they differ, we agree with one of them. They differ in this: Mail::SPF has no limit of MX records, and python3-spf
counts terms otherwise, and takes a name of the client that cannot be resolved for a temporary error (RFC 7208 5.5 skips it).
"""

import concurrent.futures
import json
import os
import random
import subprocess

import pytest

import sanitizers
import smtpd_env
import spf_peers
from smtpd_env import SLOWDOWN

COMMAND = sanitizers.build_dir() / "tools" / "smtpd-auth"
ZONES = 120
CLIENTS = ["192.0.2.1", "192.0.2.77", "198.51.100.5", "2001:db8::1", "::ffff:192.0.2.1"]

pytestmark = pytest.mark.skipif(not (spf_peers.Pyspf.is_there and spf_peers.MailSpf.is_there),
                                reason="python3-spf or libmail-spf-perl is missing")


class Maker:
    """Zones of a few domains that refer to each other, some of them wrong."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.domains = [f"{name}.example" for name in ("one", "two", "three", "four", "five")]
        self.hosts = [f"h{number}.example" for number in range(5)] + ["none.example"]

    def term(self):
        pick = self.random.choice
        domain, host = pick(self.domains), pick(self.hosts)
        cidr = pick(["", "", "", "/24", "/32", "//64", "/24//64", "/0"])
        mechanism = pick([
            f"a:{host}{cidr}", f"a{cidr}", f"mx{cidr}", f"mx:{domain}{cidr}", f"include:{domain}", f"include:{domain}", "ptr", f"ptr:{domain}",
            f"ip4:192.0.2.{pick([0, 1, 64, 77])}{pick(['', '/24', '/26', '/32', '/0'])}", f"ip6:2001:db8::{pick(['', '1'])}{pick(['', '/32', '/128'])}",
            "exists:%{i}.x.example", "exists:%{ir}.%{v}.x.example", "exists:%{l1r-}.%{d2}", "exists:%{h}", f"exists:{host}", "exists:%{o}.%{s}.example",
            "a:%{d1r}.example", "exists:%{p}.x.example", "mx:%{d}",
        ])
        return pick(["", "", "-", "~", "?"]) + mechanism

    def record(self):
        pick = self.random.choice
        terms = [self.term() for _ in range(self.random.randrange(0, 5))]
        end = pick(["-all", "~all", "?all", "+all", "", f"redirect={pick(self.domains)}", f"exp={pick(self.hosts)} -all"])
        wrong = ["a:", "ip4:1.2.3", "ip4:192.0.2.1/33", "include", "foo", "ip6:::1/129", "all:x", "a:bad", "exists:%{q}", "redirect=", "x=%", "a/024", "ptr/0"]
        if self.random.random() < 0.12:
            terms.insert(self.random.randrange(len(terms) + 1), pick(wrong))
        if self.random.random() < 0.1:
            terms.append(pick(["unknown=x", "a.b-c=%{d}", "moo=%%"]))
        return " ".join(["v=spf1", *terms, end]).strip()

    def zone(self):
        pick, chance = self.random.choice, self.random.random
        zone = {}
        for domain in self.domains:
            entries = zone[domain] = [{"TXT": self.record()}] if chance() < 0.93 else []
            if chance() < 0.05:
                entries.append({"TXT": "v=spf1 -all"})
            if chance() < 0.2:
                entries.append({"TXT": pick(["hello", "v=spf10 all", "spf2.0/pra +all"])})
            if chance() < 0.5:
                entries.append({"A": pick(["192.0.2.1", "192.0.2.200"])})
            if chance() < 0.3:
                entries.append({"AAAA": "2001:db8::7"})
            for _ in range(pick([0, 1, 2, 12])):
                entries.append({"MX": [self.random.randrange(3) * 10, pick(self.hosts)]})
            if not entries:
                entries.append({"A": "203.0.113.1"})
            if chance() < 0.04:
                entries.append("TIMEOUT")
        for host in self.hosts[:-1]:
            zone[host] = [{"A": pick(["192.0.2.1", "192.0.2.77", "198.51.100.5"])}]
            if chance() < 0.4:
                zone[host].append({"AAAA": pick(["2001:db8::1", "2001:db8::2"])})
            if chance() < 0.08:
                zone[host] = ["TIMEOUT"]
        for name in ("192.0.2.1.x.example", "1.2.0.192.in-addr.x.example", "bob.two.example", "unknown.x.example", "example.example"):
            if chance() < 0.5:
                zone[name] = [{"A": "127.0.0.2"}]
        zone["1.2.0.192.in-addr.arpa"] = [{"PTR": pick(self.hosts)}, {"PTR": pick(self.domains)}]
        if chance() < 0.5:
            zone["77.2.0.192.in-addr.arpa"] = [{"PTR": pick(self.hosts)}]
        return zone


def ours(folder, number, zone, questions):
    file = folder / f"{number}.json"
    file.write_text(json.dumps({"zonedata": zone}))
    out = []
    for ip, helo, sender in questions:
        done = subprocess.run([*sanitizers.command_prefix(smtpd_env.BUILD), str(COMMAND), "spf", "--zone", str(file), "--ip", ip, "--helo", helo,
                               "--mail-from", sender, "--void", str(spf_peers.NO_LIMIT)], capture_output=True, timeout=60 * SLOWDOWN,
                              env={**os.environ, **sanitizers.environment(smtpd_env.BUILD)})
        assert done.returncode == 0, done.stderr
        out.append(json.loads(done.stdout))
    return out


def test_three_implementations_agree(tmp_path):
    cases = []
    for number in range(ZONES):
        maker = Maker(number)
        zone = maker.zone()
        questions = [(ip, "h1.example", f"bob@{maker.random.choice(maker.domains)}") for ip in CLIENTS]
        cases.append((zone, questions))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda job: ours(tmp_path, job[0], *job[1]), enumerate(cases)))
    python = spf_peers.Pyspf()
    perl_results = spf_peers.MailSpf().ask_all(cases)
    wrong, seen, agreed, total = [], set(), 0, 0
    for (zone, questions), got, perl in zip(cases, results, perl_results):
        for question, result, theirs, other in zip(questions, got, python.ask(zone, questions), perl):
            total += 1
            seen.add(result["result"])
            agreed += result["result"] == theirs == other
            if result["result"] not in (theirs, other):
                wrong.append(f"{question}: {result['result']} ({result['mechanism']} {result['problem']}), python3-spf {theirs}, Mail::SPF {other}\n"
                             f"    {json.dumps(zone)}")
    assert seen == {"none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"}
    assert not wrong, f"{len(wrong)} of {total}\n" + "\n".join(wrong[:10])
    assert agreed >= 0.9 * total, f"{agreed} of {total}"

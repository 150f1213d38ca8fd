"""Mail authentication by itself, without a server: evaluations a second of one core, ours beside those of python3-spf, which gets its answers from memory too.

As a program (auth_measures.py SECONDS, the records on standard input) it is the other one."""

import collections
import json
import pathlib
import subprocess
import sys
import time

RATE = 100_000  # what one core has to make


def spf(bench):
    from measures import Row, compare, median, per_second
    from servers import BenchError

    program = f"{bench.build['build_dir']}/tests/bench/spf_load"
    records = subprocess.run([program, "--zone"], capture_output=True, text=True, check=True).stdout

    def ours():
        done = subprocess.run([program, "--seconds", str(bench.seconds)], capture_output=True, text=True)
        if done.returncode:
            raise BenchError(f"spf_load: {done.stdout} {done.stderr}")
        result = json.loads(done.stdout)
        return {"rate": result["evaluations"] / result["cpu"]}

    def theirs():
        done = subprocess.run(["/usr/bin/python3", str(pathlib.Path(__file__)), str(bench.seconds)], input=records, capture_output=True, text=True)
        return json.loads(done.stdout) if done.returncode == 0 else None

    if theirs() is None:
        pairs = [(ours(), None) for _ in range(bench.rounds)]
        print("bench: spf: python3-spf is missing, so there is nothing beside it", file=sys.stderr)
    else:
        pairs = [(ours(), theirs()) for _ in range(bench.rounds)]
    rate = median([mine for mine, _ in pairs], "rate")
    rows = [Row("SPF with a warm DNS cache, evaluations of one core", per_second(rate), "", rate / 1000, "", RATE / 1000, 2 * RATE / 1000, is_most=False, unit=" k/s")]
    if pairs[0][1]:
        rows.append(compare("… to python3-spf with answers from memory", pairs, "rate", per_second, 20, 40, is_most=False))
    return rows


def main():
    import spf as pyspf

    zone = collections.defaultdict(list)
    for line in sys.stdin:
        name, kind, data = line.strip().split(None, 2)
        data = (data.encode(),) if kind == "TXT" else (int(data.split()[0]), data.split()[1]) if kind == "MX" else data
        zone[name].append((kind, data))

    def answers(name, kind, *_):
        return [((name, of), data) for of, data in zone.get(name, ()) if of == kind]

    pyspf.DNSLookup = answers
    companies = [name for name in zone if name.startswith("company")]
    count, begin = 0, time.process_time()
    while time.process_time() - begin < float(sys.argv[1]):
        name = companies[count % len(companies)]
        ip = "198.18.0.2" if count % 2 else "198.18.0.3"
        result = pyspf.check2(i=ip, s=f"somebody@{name}", h="mx.company.example", querytime=0)[0]
        assert result == ("pass" if count % 2 else "fail"), result
        count += 1
    print(json.dumps({"rate": count / (time.process_time() - begin)}))


ALL = {"spf": spf}

if __name__ == "__main__":
    main()

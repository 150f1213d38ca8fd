"""The isemail address tables, run through smtpd-parse.

They apply to the strict syntax; LENIENT lists what the lenient syntax also accepts. The tables judge an address in a
header field (RFC 5322); here it is in an envelope, where only RFC 5321 4.1.2 counts. IN_A_PATH says what each
category of meta.xml means for that grammar; EXCEPTIONS lists rows that differ from their category, each with its
reason. The tables are not part of the project: SMTPD_SUITES names their folder (address/tests.xml and so on);
without it the test skips.
"""

import json
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

import sanitizers

PARSER = sanitizers.build_dir() / "tests" / "tools" / "smtpd-parse"
TABLES = ("tests.xml", "tests-original.xml")

#: Whether RFC 5321's path grammar takes the addresses of a category; None where meta.xml's diagnosis decides.
IN_A_PATH = {
    "ISEMAIL_VALID_CATEGORY": True,
    "ISEMAIL_DNSWARN": True,  # the DNS is no part of the syntax
    "ISEMAIL_RFC5321": True,  # quoted strings, address literals, single labels
    "ISEMAIL_CFWS": False,  # comments and folding white space belong to header fields
    "ISEMAIL_DEPREC": False,  # obsolete forms of RFC 5322
    "ISEMAIL_RFC5322": False,  # too long, bad address literals, domains with other characters
    "ISEMAIL_ERR": False,
}

#: Diagnoses that come out differently from their category.
DIAGNOSES = {
    # "::" for a single group: RFC 4291 allows it, RFC 5952 only advises against writing it.
    "ISEMAIL_RFC5321_IPV6DEPRECATED": True,
}

EMPTY_QUOTES = "the grammar takes a quoted string with nothing in it, but it names no mailbox: refused on purpose"
GENERAL_LITERAL = "a tag, a colon and printable characters make a General-address-literal, whose tags are not checked"

#: (table, test id): (verdict here, why it differs from its category's)
EXCEPTIONS = {
    ("tests.xml", "43"): (False, EMPTY_QUOTES),
    ("tests-original.xml", "31"): (False, EMPTY_QUOTES),
    ("tests.xml", "66"): (True, GENERAL_LITERAL),
    ("tests-original.xml", "38"): (True, GENERAL_LITERAL),
}


def parse(what, line, *options):
    """(valid, the printed object) for one line, given as octets."""
    run = subprocess.run([PARSER, what, *options], input=line + b"\r\n", capture_output=True, timeout=10, check=False)
    assert run.returncode in (0, 1) and not run.stderr, (run.returncode, run.stderr)
    printed = json.loads(run.stdout)
    assert printed["valid"] == (run.returncode == 0)
    return printed["valid"], printed


def octets_of(text):
    """The tables write control characters as their symbols, U+2400 and up."""
    return "".join(chr(ord(c) - 0x2400) if 0x2400 <= ord(c) < 0x2420 else c for c in text or "").encode()


def rows(folder, table):
    for test in ElementTree.parse(folder / table).getroot().iter("test"):
        yield test.get("id"), octets_of(test.findtext("address")), test.findtext("category"), test.findtext("diagnosis")


def verdict(table, number, category, diagnosis):
    if (table, number) in EXCEPTIONS:
        return EXCEPTIONS[table, number][0]
    return DIAGNOSES.get(diagnosis, IN_A_PATH[category])


@pytest.mark.parametrize("table", TABLES)
def test_every_address_gets_the_verdict_of_rfc_5321(table, suites):
    wrong, count = [], 0
    for number, address, category, diagnosis in rows(suites / "address", table):
        want = verdict(table, number, category, diagnosis)
        for what, line in (("address", address), ("path", b"<" + address + b">")):
            # Both are read by one grammar; but a path may be empty, and one that starts with "@" has a source route.
            if what == "path" and address == b"":
                continue
            valid, printed = parse(what, line, "--strict")
            if valid != want:
                wrong.append(f"{number} {what} {line!r} ({diagnosis}): valid is {valid}, {printed.get('why')}")
        count += 1
    assert count == {"tests.xml": 164, "tests-original.xml": 279}[table]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("table", TABLES)
def test_what_is_valid_prints_as_the_same_address(table, suites):
    for number, address, category, diagnosis in rows(suites / "address", table):
        if not verdict(table, number, category, diagnosis):
            continue
        first = parse("address", address, "--strict")[1]
        again = parse("address", first["address"].encode(), "--strict")[1]
        parts = ("local_part", "domain", "address", "path")
        assert [first[part] for part in parts] == [again[part] for part in parts], (number, address)
        assert first["domain"].encode() == address.rsplit(b"@", 1)[1], (number, address)


#: What the lenient syntax takes beyond the strict one: why the strict one refuses it.
LENIENT = {
    "local part is longer than 64 octets",
    "local part has a dot at its start or two in a row",
    "local part ends with a dot",
    "local part is empty",
    "path is longer than 256 octets",
    "domain contains a character that is not allowed",  # an underscore
    "domain has an empty label",  # a final dot
}


@pytest.mark.parametrize("table", TABLES)
def test_the_lenient_syntax_takes_more_and_never_less(table, suites):
    more = set()
    for number, address, _, _ in rows(suites / "address", table):
        strict, told = parse("address", address, "--strict")
        lenient, printed = parse("address", address)
        assert lenient or not strict, (number, address)
        if strict or not lenient:
            continue
        more.add(number)
        assert told["why"] in LENIENT, (number, address, told["why"])
        again = parse("address", printed["address"].encode())[1]
        assert (again["key"], again["address"]) == (printed["key"], printed["address"]), (number, address)
    assert more


def test_every_category_and_exception_is_still_in_the_tables(suites):
    folder = suites / "address"
    categories = {item.get("id") for item in ElementTree.parse(folder / "meta.xml").getroot().find("Categories")}
    assert categories == set(IN_A_PATH)
    for table in TABLES:
        by_number = {number: (category, diagnosis) for number, _, category, diagnosis in rows(folder, table)}
        for (where, number), (here, _) in EXCEPTIONS.items():
            if where == table:
                category, diagnosis = by_number[number]
                assert here != DIAGNOSES.get(diagnosis, IN_A_PATH[category]), f"{table} {number} is no exception any more"


def test_the_parser_takes_paths_and_commands():
    assert parse("path", b"<>")[1]["null"] is True
    assert parse("path", b"<PostMaster>")[1]["local_part"] == "PostMaster"
    valid, printed = parse("command", b"MAIL FROM:<a@b> SIZE=1")
    assert valid and printed["verb"] == "MAIL" and printed["parameters"] == [{"keyword": "SIZE", "value": "1"}]
    valid, printed = parse("command", b"RCPT TO:<a@b")
    assert not valid and printed["reply"]["code"] == 501 and printed["reply"]["enhanced"] == "5.1.3"
    valid, printed = parse("path", "<pépé@exämple.org>".encode(), "--smtputf8")
    assert valid and printed["domain"] == "exämple.org" and printed["ascii"] is False
    assert not parse("path", "<pépé@exämple.org>".encode())[0]
    assert parse("path", b"<a..b@c_d.>")[1]["path"] == '<"a..b"@c_d>'
    assert not parse("path", b"<a..b@c_d.>", "--strict")[0]
    assert parse("path", b'<a"\\\x00\xff@b>')[1]["input"] == '<a"\\\x00\u00ff@b>'


def test_a_wrong_call_is_told():
    for arguments in ([], ["--smtputf8"], ["mailbox"], ["path", "path"], ["path", "--utf8"]):
        run = subprocess.run([PARSER, *arguments], input=b"", capture_output=True, timeout=10, check=False)
        assert run.returncode == 2 and b"usage:" in run.stderr and not run.stdout, arguments

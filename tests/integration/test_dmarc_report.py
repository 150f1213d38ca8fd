"""Aggregate reports: what the plugin dmarc remembers, and what smtpd-dmarc-report makes of it."""

import base64
import datetime
import email
import gzip
import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import time
import xml.etree.ElementTree as ElementTree

import pytest

import sanitizers
from smtp_client import Client
from smtpd_env import SLOWDOWN

TOOL = sanitizers.build_dir() / "tools" / "smtpd-dmarc-report"
NAMESPACE = {"d": "urn:ietf:params:xml:ns:dmarc-2.0"}

#: The records of domains whose mail comes, and of where reports may go.
ZONES = {
    "test": """
_dmarc.good      TXT "v=DMARC1; p=reject; rua=mailto:r@good.test,mailto:x@elsewhere.test"
good             MX 10 mx.good
_dmarc.blocked   TXT "v=DMARC1; p=none; rua=mailto:r@blocked.test"
_dmarc.bad       TXT "v=DMARC1; p=reject; rua=mailto:r@bad.test"
_dmarc.nomx      TXT "v=DMARC1; p=none; rua=mailto:r@nomx.test"
"""
}


def day_number(day):
    return (day - datetime.date(1970, 1, 1)).days


TODAY = datetime.datetime.now(datetime.timezone.utc).date()
YESTERDAY = TODAY - datetime.timedelta(days=1)


def add(database, domain, *, dkim=1, accepted=1, record=None, day=YESTERDAY, ip="192.0.2.1", disposition="none", count=1, rfc7489=0):
    record = record or f"v=DMARC1; p=reject; rua=mailto:r@{domain}"
    row = (day_number(day), domain, record, rfc7489, ip, domain, f"bounce.{domain}", disposition, dkim, 0, "", "",
           f"dkim {domain} s1 {'pass' if dkim else 'fail'};spf bounce.{domain} softfail;", accepted, count)
    with sqlite3.connect(database) as connection:
        connection.execute("INSERT INTO events VALUES (" + ", ".join("?" * len(row)) + ")", row)
    connection.close()


@pytest.fixture
def database(tmp_path):
    """A database of the tool's own making: asking about an empty one makes it."""
    folder = tmp_path / "reports"
    folder.mkdir(mode=0o700)
    file = folder / "dmarc.sqlite"
    file.touch()
    report("write", "--database", folder, "--from", "dmarc@mx.test", "--output", tmp_path)
    return file


def report(*arguments, status=0):
    run = subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == status, (run.returncode, run.stdout, run.stderr)
    return run.stdout.splitlines()


def zone(folder, records):
    file = folder / "zone.json"
    file.write_text(json.dumps({"zonedata": records}))
    return file


@pytest.fixture
def sendmail(tmp_path):
    """A program that keeps what it is given in numbered files, the call first."""
    mails = tmp_path / "mails"
    mails.mkdir()
    program = tmp_path / "sendmail"
    program.write_text(f'#!/bin/sh\nfile={mails}/$$.tmp\necho "$@" >$file\ncat >>$file\nmv $file {mails}/$$.mail\n')
    program.chmod(0o755)
    return program, mails


def test_a_report_is_valid_and_says_what_came(database, tmp_path, suites):
    add(database, "good.test", count=3)
    add(database, "good.test", dkim=0, accepted=0, disposition="reject", ip="2001:db8::1")
    add(database, "onlybad.test", dkim=0)
    output = tmp_path / "out"
    output.mkdir()
    files = report("write", "--database", database.parent, "--from", "dmarc@mx.test", "--org", "A & B", "--contact", "https://mx.test", "--output", output)
    assert len(files) == 1
    name = pathlib.Path(files[0]).name
    begin = day_number(YESTERDAY) * 86400
    assert name == f"mx.test!good.test!{begin}!{begin + 86399}.xml.gz"
    document = gzip.decompress(pathlib.Path(files[0]).read_bytes())
    root = ElementTree.fromstring(document)
    rows = [[row.findtext(f"d:{path}", namespaces=NAMESPACE) for path in ("row/d:source_ip", "row/d:count", "row/d:policy_evaluated/d:disposition")]
            for row in root.findall("d:record", NAMESPACE)]
    assert rows == [["192.0.2.1", "3", "pass"], ["2001:db8::1", "1", "reject"]]
    again = report("write", "--database", database.parent, "--from", "dmarc@mx.test", "--org", "A & B", "--contact", "https://mx.test", "--output", output)
    assert again == files and gzip.decompress(pathlib.Path(files[0]).read_bytes()) == document
    if shutil.which("xmllint"):
        (tmp_path / "report.xml").write_bytes(document)
        schema = suites / "dmarc" / "dmarc-2.0.xsd"
        check = subprocess.run(["xmllint", "--noout", "--schema", schema, tmp_path / "report.xml"], capture_output=True, timeout=60, check=False)
        assert check.returncode == 0, check.stderr


def test_who_gets_a_report(database, tmp_path, sendmail):
    program, mails = sendmail
    add(database, "good.test", record="v=DMARC1; p=reject; rua=mailto:r@good.test,mailto:x@elsewhere.test")
    for domain in ("blocked.test", "nomx.test", "late.test"):
        add(database, domain)
    add(database, "bad.test", dkim=0)
    add(database, "refused.test", accepted=0)
    block = tmp_path / "block"
    block.write_text("# these came back\nblocked.test\n")
    records = {"good.test": [{"MX": [10, "mx.good.test"]}], "blocked.test": [{"MX": [10, "mx.good.test"]}], "late.test": ["TIMEOUT"]}
    arguments = ("send", "--database", database.parent, "--from", "dmarc@mx.test", "--sendmail", program, "--block", block, "--zone", zone(tmp_path, records))
    said = "\n".join(report(*arguments, "--dry-run"))
    assert "good.test: to r@good.test (not sent)" in said and not list(mails.iterdir())
    said = "\n".join(report(*arguments))
    assert "good.test: to r@good.test" in said
    assert "good.test: not to mailto:x@elsewhere.test: elsewhere.test does not want these reports" in said
    assert "blocked.test: no report: it is on the block list" in said
    assert "nomx.test: not to r@nomx.test: nomx.test has no MX" in said
    assert "late.test: not to r@late.test: MX of late.test: no answer in time" in said
    assert "bad.test" not in said.replace("good.test", "") and "refused.test" not in said
    sent = list(mails.glob("*.mail"))
    assert len(sent) == 1
    call, _, raw = sent[0].read_bytes().partition(b"\n")
    assert call == b"-i -f dmarc@mx.test -- r@good.test"
    message = email.message_from_bytes(raw)
    assert message["To"] == "r@good.test" and message["Auto-Submitted"] == "auto-generated"
    subject = re.sub(r"\s+", " ", message["Subject"])
    assert subject == f"Report Domain: good.test Submitter: mx.test Report-ID: <{YESTERDAY:%Y%m%d}.good.test@mx.test>"
    attachment = [part for part in message.walk() if part.get_content_type() == "application/gzip"][0]
    assert b"<domain>good.test</domain>" in gzip.decompress(base64.b64decode(attachment.get_payload()))
    # What was sent, or never can be, is not tried again; the DNS may answer the next time.
    said = "\n".join(report(*arguments))
    assert "late.test" in said and "good.test:" not in said and "nomx.test" not in said and "blocked.test" not in said


def test_the_limits_of_a_call(database, tmp_path, sendmail):
    program, mails = sendmail
    records = {}
    for number in range(6):
        add(database, f"d{number}.test")
        records[f"d{number}.test"] = [{"MX": [10, "mx.test"]}]
    arguments = ("send", "--database", database.parent, "--from", "dmarc@mx.test", "--zone", zone(tmp_path, records))
    said = report(*arguments, "--sendmail", program, "--most", "2")
    assert said[-1] == "stopped: 2 mails are the most for a call (--most)" and len(list(mails.glob("*.mail"))) == 2
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\ncat >/dev/null\nexit 75\n")
    broken.chmod(0o755)
    said = report(*arguments, "--sendmail", broken, status=1)
    assert said[-1] == "stopped: the mails cannot be sent" and sum("ended with status 75" in line for line in said) == 3
    report(*arguments, "--sendmail", program)
    assert len(list(mails.glob("*.mail"))) == 6


def test_wrong_calls(tmp_path):
    report("send", "--database", tmp_path, "--from", "dmarc@mx.test", status=66)
    report("send", "--database", tmp_path, "--from", "nobody", status=64)
    report("send", "--database", tmp_path, status=64)
    report("write", "--database", tmp_path, "--from", "dmarc@mx.test", "--output", tmp_path, "--day", "yesterday", status=64)
    report("write", "--database", tmp_path, "--from", "dmarc@mx.test", "--output", tmp_path, "--day", TODAY.isoformat(), status=64)


CHAIN = """
    SmtpPlugin sender_permitted_from
    SmtpPlugin dmarc reporting=on report_dir={folder} reject={reject}
    SmtpPlugin rcpt_ok
    SmtpPlugin queue/maildir "@maildir@"
"""


def test_what_sessions_leave(make_server, nsd, tmp_path):
    server = make_server()
    server.allow_log("no plugin tests DKIM")
    folder = server.work / "reports"
    smtp = server.smtp(CHAIN.format(folder=folder, reject="yes"), f"SmtpResolver {nsd.address} timeout=1s tries=2")
    server.start()
    with Client(smtp.port) as client:
        client.command("EHLO client.test", 250)
        for author, code in (("good.test", 550), ("blocked.test", 250), ("blocked.test", 250)):
            client.envelope(f"me@{author}", "you@example.com")
            client.data(f"From: a@{author}\r\nSubject: x\r\n\r\nhello\r\n").expect(code)
    rows = []
    for _ in range(int(100 * SLOWDOWN)):
        if (folder / "dmarc.sqlite").exists():
            connection = sqlite3.connect(folder / "dmarc.sqlite")
            try:
                rows = connection.execute("SELECT domain, disposition, accepted, count FROM events ORDER BY domain").fetchall()
            except sqlite3.OperationalError:
                pass  # it is being made
            connection.close()
        if sum(row[3] for row in rows) == 3:
            break
        time.sleep(0.1)
    assert rows == [("blocked.test", "none", 1, 2), ("good.test", "reject", 0, 1)]
    assert os.stat(folder).st_mode & 0o77 == 0

"""smtpd-dkim-keygen makes keys that the plugin dkim takes, and records that fit them."""

import base64
import re
import subprocess

from test_commands import run


def keygen(folder, *words):
    return run("smtpd-dkim-keygen", "-d", folder, *words)


def openssl(*words, given=None):
    return subprocess.run(["openssl", *words], input=given, capture_output=True, check=True).stdout


def records(printed):
    """name: value, from the zone text."""
    zone = "\n".join(line for line in printed.splitlines() if not line.startswith(";"))
    return {name: "".join(re.findall(r'"([^"]*)"', text)) for name, text in re.findall(r"^(\S+) IN TXT (\([^)]*\)|.*)$", zone, re.M)}


def test_keys_and_records_fit(tmp_path):
    status, printed, complaint = keygen(tmp_path, "-s", "sel", "-e", "Example.com")
    assert (status, complaint) == (0, "")
    folder = tmp_path / "example.com"
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {
        "private": "0o400", "selector": "0o644", "private-ed25519": "0o400", "selector-ed25519": "0o644", "dns": "0o644"}
    assert (folder / "selector").read_text() == "sel\n" and (folder / "selector-ed25519").read_text() == "sel-ed25519\n"
    assert (folder / "dns").read_text() == printed
    found = records(printed)
    rsa = openssl("pkey", "-in", str(folder / "private"), "-pubout", "-outform", "DER")
    ed25519 = openssl("pkey", "-in", str(folder / "private-ed25519"), "-pubout", "-outform", "DER")[-32:]
    assert found["sel._domainkey.example.com."] == "v=DKIM1; h=sha256; k=rsa; p=" + base64.b64encode(rsa).decode()
    assert found["sel-ed25519._domainkey.example.com."] == "v=DKIM1; k=ed25519; p=" + base64.b64encode(ed25519).decode()
    assert all(len(text) <= 255 for text in re.findall(r'"([^"]*)"', printed))
    assert found["example.com."].startswith("v=spf1 ") and found["_dmarc.example.com."].startswith("v=DMARC1; p=none; ")
    assert ";   value  " + found["sel._domainkey.example.com."] in printed


def test_keys_that_are_there_stay(tmp_path):
    assert keygen(tmp_path, "-s", "one", "example.com")[0] == 0
    key = tmp_path / "example.com" / "private"
    before = key.read_bytes()
    status, printed, complaint = keygen(tmp_path, "example.com")
    assert (status, printed) == (2, "") and f"{key} is there already; -f replaces it" in complaint
    status, printed, _ = keygen(tmp_path, "-e", "example.com")
    assert status == 0 and key.read_bytes() == before and "one._domainkey.example.com." in records(printed)
    assert keygen(tmp_path, "-e", "example.com")[1] == printed, "both are there, so nothing is made"
    ed25519 = tmp_path / "example.com" / "private-ed25519"
    before_ed25519 = ed25519.read_bytes()
    key.unlink()
    status, printed, complaint = keygen(tmp_path, "-s", "new", "-e", "example.com")
    assert (status, complaint) == (0, "") and ed25519.read_bytes() == before_ed25519
    assert "new._domainkey.example.com." in records(printed) and key.read_bytes() != before
    before = key.read_bytes()
    assert keygen(tmp_path, "-f", "-s", "two", "-b", "1024", "example.com")[0] == 0
    assert key.read_bytes() != before and b"1024 bit" in openssl("pkey", "-in", str(key), "-text", "-noout")


def test_wrong_calls_make_nothing(tmp_path):
    for words, what in ((("-b", "512", "a.example"), "512 bits"), (("-s", "a b", "a.example"), "not a selector"), (("a/b.example",), "a/b"),
                        (("-d",), "-d needs a value"), (("a.example", "b.example"), "unexpected argument"), ((), "the domain is missing")):
        status, printed, complaint = keygen(tmp_path, *words)
        assert (status, printed) == (2, "") and what in complaint, complaint
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]

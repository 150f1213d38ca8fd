"""Dialogues of other servers' test suites, run through smtpd-session. The test compares the reply codes, not the texts.

The dialogues are not part of the project: SMTPD_SUITES names the folder that has them (smtp/chasquid/*.cmy,
smtp/james/*.test); without it the tests skip. The test runs each dialogue of that folder, unless OUT_OF_SCOPE lists
it with a reason. If the codes differ on purpose, DIFFERENCES says which and why.
"""

import ast
import re
import subprocess

import pytest

import sanitizers

TESTS = sanitizers.build_dir() / "tests"

NEEDS_STARTTLS = "STARTTLS is not there yet: it is answered with 502"

#: Dialogues that are not run.
OUT_OF_SCOPE = {
    "james/starttls.test": NEEDS_STARTTLS,
    "james/starttls_session_fixation.test": NEEDS_STARTTLS,
    "james/starttls_with_injection.test": NEEDS_STARTTLS,
}

SYNTAX = "what is wrong is the argument, and that is 501 (RFC 5321 4.2.4); they know no command by that name"
NO_SMTP = "this is no SMTP client, and the connection is closed: 554"
ONE_CODE = "a message whose line ends are wrong is 554, once it is over; the session goes on"

NO_EHLO = "AUTH comes after EHLO (RFC 4954 4); what follows it are unknown commands then"

#: (dialogue, number of its connection, number of the reply): (their code, the code here, why)
DIFFERENCES = {
    ("chasquid/auth_multi_dialog.cmy", 1, 3): ("534", "504", "a mechanism that is not there is 504 (RFC 4954 4)"),
    ("chasquid/auth_not_tls.cmy", 1, 3): ("503", "538", "where AUTH needs encryption, the code for that is 538 (RFC 4954 6)"),
    ("chasquid/auth_too_many_failures.cmy", 1, 5): ("421", "501", "SmtpMaxErrors is 20 unless set"),
    ("james/authplain.test", 1, 2): ("334", "503", NO_EHLO),
    ("james/authplain.test", 1, 3): ("334", "500", NO_EHLO),
    ("james/authplain.test", 1, 4): ("235", "500", NO_EHLO),
    ("chasquid/bad_data.cmy", 2, 6): ("554", "250", "what a header may look like is for plugins to say; without one the message is taken as it is"),
    ("chasquid/bad_data_dot.cmy", 1, 6): ("521", "554", ONE_CODE),
    ("chasquid/bad_data_dot_2.cmy", 1, 6): ("521", "554", ONE_CODE),
    ("chasquid/bad_data_dot_on_message_too_big.cmy", 1, 6): ("521", "552", "the first thing wrong is told: the message was too large before the stray dot came"),
    ("chasquid/bad_mail_from.cmy", 1, 3): ("500", "501", SYNTAX),
    ("chasquid/bad_mail_from.cmy", 1, 4): ("500", "250", "with dont_require_anglebrackets nothing at all is the null sender, as in qpsmtpd"),
    ("chasquid/bad_rcpt_to.cmy", 1, 4): ("500", "501", SYNTAX),
    ("chasquid/bad_rcpt_to.cmy", 1, 5): ("500", "501", SYNTAX),
    ("chasquid/bad_rcpt_to.cmy", 3, 4): ("550", "553", "without SMTPUTF8 an address of other characters than ASCII is 553 5.6.7 (RFC 6531 3.5)"),
    ("chasquid/line_too_long.cmy", 1, 2): ("554", "501", "the line is within the limit, the name in it is not"),
    ("chasquid/wrong_proto.cmy", 1, 2): ("502", "554", NO_SMTP),
    ("chasquid/wrong_proto.cmy", 2, 2): ("502", "554", NO_SMTP),
    ("chasquid/wrong_proto.cmy", 3, 2): ("502", "554", NO_SMTP),
}


class Connection:
    """The input of one client, and the expected reply codes."""

    def __init__(self, is_tls=False):
        self.is_tls = is_tls
        self.octets = b""
        self.codes = []


def read_chasquid(text):
    """`c tcp_connect` begins a connection; `->` sends a line, `~>` the octets of an expression; `<-`, `<~` and `<...` read a reply."""
    connections = []
    for line in text.splitlines():
        words = line.split(None, 2)
        if not words or words[0].startswith("#"):
            continue
        assert words[0] == "c", line
        what, rest = words[1], words[2] if len(words) > 2 else ""
        if what in ("tcp_connect", "tls_connect"):
            connections.append(Connection(is_tls=what == "tls_connect"))
        elif what == "->":
            connections[-1].octets += rest.encode() + b"\r\n"
        elif what == "~>":
            connections[-1].octets += evaluate(ast.parse(rest, mode="eval").body).encode()
        elif what in ("<-", "<~", "<..."):
            connections[-1].codes.append(rest[:3])
        else:
            assert what == "close", line
    return connections


def evaluate(node):
    """Strings put together with + and *."""
    if isinstance(node, ast.Constant):
        return node.value
    assert isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mult)), ast.dump(node)
    left, right = evaluate(node.left), evaluate(node.right)
    return left + right if isinstance(node.op, ast.Add) else left * right


def read_james(text):
    """`C:` sends a line, `S:` is a regular expression for a line of a reply; `250.*` in front of `250-` is the first line of that reply."""
    connection = Connection()
    lines = [line for line in text.splitlines() if line.strip()]
    for number, line in enumerate(lines):
        kind, rest = line[:2], line[2:].lstrip(" ")
        following = lines[number + 1][2:].lstrip(" ") if number + 1 < len(lines) else ""
        if kind == "C:":
            connection.octets += rest.encode() + b"\r\n"
        else:
            assert kind == "S:", line
            is_first_line = rest[3:4] == "." and following.startswith(rest[:3] + "-")
            if rest[3:4] != "-" and not is_first_line:
                connection.codes.append(rest[:3])
    return [connection]


def reply_codes(output):
    """The codes of the replies, each of which must be well-formed."""
    codes = []
    lines = output.split(b"\r\n")
    assert lines.pop() == b"", "the output ends inside a line"
    for line in lines:
        assert re.match(rb"[2-5][0-9][0-9][ -]", line), line
        if line[3:4] == b" ":
            codes.append(line[:3].decode())
    return codes


@pytest.fixture(scope="module")
def control(tmp_path_factory):
    """The servers in the dialogues: testserver and mydomain.tld."""
    folder = tmp_path_factory.mktemp("control")
    (folder / "me").write_text("testserver\n")
    (folder / "rcpthosts").write_text("testserver\nmydomain.tld\n")
    (folder / "plugins").write_text("dont_require_anglebrackets\nrcpt_ok\nqueue/discard\n"
                                    "knows_passwords account=user@testserver:secretpassword account=bob@mydomain.tld:secret\n")
    return folder


def play(connection, control, *options):
    helpers = TESTS / "helper_plugins" / ".libs"
    tls = ["--tls", "TLSv1.3"] if connection.is_tls else []
    command = [TESTS / "tools" / "smtpd-session", "--control", str(control), "--plugin-dir", str(helpers), "--max-size", str(1024 * 1024), *tls, *options]
    run = subprocess.run(command, input=connection.octets, capture_output=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    return reply_codes(run.stdout)


def dialogues(suites):
    """(name, connections) of each dialogue that is in scope."""
    folder = suites / "smtp"
    for file in sorted(folder.glob("chasquid/*.cmy")) + sorted(folder.glob("james/*.test")):
        name = str(file.relative_to(folder))
        if name not in OUT_OF_SCOPE:
            reader = read_chasquid if file.suffix == ".cmy" else read_james
            yield name, reader(file.read_text(encoding="utf-8"))


def test_dialogues_get_the_expected_codes(control, suites):
    wrong, seen = [], set()
    for name, connections in dialogues(suites):
        for number, connection in enumerate(connections, 1):
            expected = list(connection.codes)
            for (dialogue, of, reply), (theirs, ours, _) in DIFFERENCES.items():
                if (dialogue, of) == (name, number):
                    assert expected[reply - 1] == theirs, f"{name}: DIFFERENCES does not fit the dialogue"
                    expected[reply - 1] = ours
                    seen.add((dialogue, of, reply))
            got = play(connection, control)
            if got != expected:
                wrong.append(f"{name}, connection {number}: {' '.join(got)} instead of {' '.join(expected)}")
    assert not wrong, "\n".join(wrong)
    assert seen == set(DIFFERENCES), "DIFFERENCES names replies that do not exist"


def test_codes_do_not_depend_on_waiting_for_replies(control, suites):
    wrong = [
        f"{name}, connection {number}"
        for name, connections in dialogues(suites)
        for number, connection in enumerate(connections, 1)
        if play(connection, control) != play(connection, control, "--early")
    ]
    assert not wrong, wrong


def test_what_is_out_of_scope_is_there_and_needs_what_is_missing(suites):
    for name in OUT_OF_SCOPE:
        text = (suites / "smtp" / name).read_text(encoding="utf-8")
        assert re.search(r"(?im)^(c -> |C: )(AUTH|STARTTLS)\b", text), f"{name} could be run"


def test_both_suites_are_read(suites):
    names = [name for name, connections in dialogues(suites) if any(connection.codes for connection in connections)]
    assert sum(name.startswith("chasquid/") for name in names) >= 10
    assert sum(name.startswith("james/") for name in names) >= 3

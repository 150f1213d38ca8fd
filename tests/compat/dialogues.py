"""Holds the same dialogues with qpsmtpd and mod_smtpd, with one control directory, and compares them step by step.

A step is an action of the client: a text is sent as a line with CRLF, octets are sent unchanged. Each step records
the code of one reply (of n replies for Many(n, octets)); "silent" if none arrives, "closed" if the connection ends,
"gone" for steps after that. Again(…) begins a new connection.
"""

import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import tempfile
import time

import pytest

import qpsmtpd_server
import smtpd_env
from maildir import Maildir
from qpsmtpd_server import Qpsmtpd
from smtp_client import Client, Closed
from smtpd_env import Httpd

CLOSED, GONE, SILENT = "closed", "gone", "silent"

HEADER = b"From: sender@example.net\r\nTo: user@example.com\r\nSubject: compat\r\nDate: Mon, 06 Nov 2023 10:00:00 +0000\r\n\r\n"
MESSAGE = HEADER + b"text\r\n.\r\n"

EHLO = "EHLO client.example.net"
MAIL = "MAIL FROM:<sender@example.net>"
RCPT = "RCPT TO:<user@example.com>"


@dataclasses.dataclass
class Many:
    """Octets that get that many replies."""
    count: int
    octets: bytes


@dataclasses.dataclass
class Again:
    """Disconnects, waits for so many seconds, and connects again, perhaps from another address; records the
    greeting's code."""
    after: float = 0.0
    source: str = ""


@dataclasses.dataclass
class Dialogue:
    control: str                                #: the name of the set of control files
    steps: list
    source: str = "127.0.0.1"
    first: bytes = b""                          #: sent before the greeting
    texts: dict = dataclasses.field(default_factory=dict)  #: number of a step -> what both servers say there


class Pair:
    """The two servers, with one control directory and one maildir.

    `control` is {file name: text}; MAILDIR, SPOOL, PLUGIN_DIR and CONTROL in it stand for paths, and so do `words`. `lines` are further directives of
    ours, `environment` what qpsmtpd's stand-ins look at (see QpsmtpdWorld.pm).
    """

    def __init__(self, control, lines="", *, words=None, environment=None):
        missing = qpsmtpd_server.why_not()
        if missing:
            pytest.skip(missing)
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="smtpd-compat-"))
        self.root.chmod(0o755)
        user = smtpd_env.unprivileged_user() if smtpd_env.is_root() else None
        for name in ("spool", "maildir", "work"):
            (self.root / name).mkdir(mode=0o700)
            if user:
                os.chown(self.root / name, user[1], user[2])
        self.control = self.root / "control"
        self.control.mkdir(mode=0o755)
        self._words = {"MAILDIR": self.root / "maildir", "SPOOL": self.root / "spool", "CONTROL": self.control,
                       "PLUGIN_DIR": qpsmtpd_server.tree() / "usr/share/qpsmtpd/plugins", **(words or {})}
        for name, text in control.items():
            self.write(name, text)
        self.maildir = Maildir(self.root / "maildir")
        self.theirs = Qpsmtpd(self.control, self.root / "work", user, environment or {})
        self.ours = Httpd("event")
        self._host = self.ours.smtp("", f'SmtpControlDir "{self.control}"\nSmtpMaxErrors 0\nSmtpStore file:{self.ours.work}/store\n{lines}')

    def write(self, name, text):
        for word, value in self._words.items():
            text = text.replace(word, str(value))
        (self.control / name).write_text(text)
        (self.control / name).chmod(0o644)

    @property
    def ports(self):
        """(theirs, ours)"""
        return self.theirs.port, self._host.port

    def __enter__(self):
        try:
            self.ours.start()
            self.theirs.start()
        except BaseException:
            self.theirs.stop()
            self.ours.finish()
            shutil.rmtree(self.root)
            raise
        return self

    def __exit__(self, kind, *_):
        self.theirs.stop()
        problems = self.ours.finish()
        shutil.rmtree(self.root)
        assert kind or not problems, "\n".join(problems)


# --- one dialogue

class Talk:
    """A client that does the steps and records (code, text) of each result."""

    def __init__(self, port, dialogue):
        self.port = port
        self.results = []
        self.client = None
        self._run(dialogue)

    def _run(self, dialogue):
        try:
            self._connect(dialogue.source)
            self.results.append(self._outcome(dialogue.first, 1))
            for step in dialogue.steps:
                if isinstance(step, Again):
                    self._leave()
                    time.sleep(step.after)
                    self._connect(step.source or dialogue.source)
                    self.results.append(self._outcome(b"", 1))
                elif CLOSED in self.results[-1][0] or self.results[-1][0] == GONE:
                    self.results.append((GONE, ""))
                elif isinstance(step, Many):
                    self.results.append(self._outcome(step.octets, step.count))
                else:
                    self.results.append(self._outcome(step if isinstance(step, bytes) else (step + "\r\n").encode(), 1))
            self._leave()
        finally:
            self.client.close()

    def _connect(self, source):
        if self.client:
            self.client.close()
        host = "::1" if ":" in source else "127.0.0.1"
        self.client = Client(self.port, host, source=source, greet=False, timeout=5 * smtpd_env.SLOWDOWN)

    def _outcome(self, octets, count):
        try:
            self.client.send(octets)
        except (BrokenPipeError, ConnectionResetError):  # which of both sees the end is a matter of moments
            return CLOSED, ""
        codes, texts = [], []
        for _ in range(count):
            try:
                reply = self.client.reply()
                codes.append(str(reply.code))
                texts.append(reply.text)
            except (Closed, ConnectionResetError):
                codes.append(CLOSED)
                break
            except TimeoutError:
                codes.append(SILENT)
                break
        return " ".join(codes), "\n".join(texts)

    def _leave(self):
        """Records a close after the last reply with it."""
        codes, text = self.results[-1]
        if codes in (GONE, CLOSED):
            return
        self.client.socket.settimeout(0.3 * smtpd_env.SLOWDOWN)
        with contextlib.suppress(TimeoutError):
            try:
                self.results[-1] = f"{codes} {self.client.reply().code}", text
            except (Closed, ConnectionResetError):
                self.results[-1] = f"{codes} {CLOSED}", text


def shown(step):
    return step if isinstance(step, str) else repr(step.octets if isinstance(step, Many) else step)[:70]


def differences_of(name, dialogue, listed, theirs, ours):
    """The steps that differ from the list: every difference must be listed, and every listed difference must occur."""
    problems = []
    steps = ["(greeting)"] + [shown(step) for step in dialogue.steps]
    for number, ((their, their_text), (our, our_text)) in enumerate(zip(theirs, ours)):
        known = listed.get((name, number))
        if (their, our) != (known[:2] if known else (their, their)):
            problems.append(f"{name}: step {number}, {steps[number]}: qpsmtpd {their} {their_text!r}, mod_smtpd {our} {our_text!r}" +
                            (f", listed are {known[0]} and {known[1]}" if known else ""))
        wanted = dialogue.texts.get(number)
        for who, text in (("qpsmtpd", their_text), ("mod_smtpd", our_text)):
            if wanted and not re.search(wanted, text):
                problems.append(f"{name}: step {number}, {steps[number]}: {who} says {text!r}, not {wanted!r}")
    return problems


def compare(pair, dialogues, listed):
    """Holds these dialogues with both; fails for every unlisted step, and for every message that only one has
    stored."""
    problems = []
    for name, dialogue in dialogues.items():
        outcomes, counts = [], []
        for port in pair.ports:
            outcomes.append(Talk(port, dialogue).results)
            counts.append(len(pair.maildir.new()))
            pair.maildir.clear()
        problems += differences_of(name, dialogue, listed, *outcomes)
        if tuple(counts) != listed.get((name, "stored"), (counts[0], counts[0]))[:2]:
            problems.append(f"{name}: qpsmtpd stored {counts[0]} messages, mod_smtpd {counts[1]}")
    assert not problems, "\n" + "\n".join(problems)


def check_lists(dialogues, sets, listed, reasons):
    """The tables name nothing that does not exist."""
    assert {dialogue.control for dialogue in dialogues.values()} == set(sets), "a set without a dialogue, or the other way round"
    for (name, number), (_, _, reason) in listed.items():
        assert number == "stored" or number <= len(dialogues[name].steps), f"{name} has no step {number}"
        assert reason in reasons, f"{name} has no reason"
    assert {reason for _, _, reason in listed.values()} == set(reasons), "a reason without a difference"

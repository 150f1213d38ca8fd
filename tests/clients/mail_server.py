"""A foreign mail server that a test starts, and that forwards mail to our server."""

import os
import pathlib
import shutil
import smtplib
import socket
import subprocess
import tempfile

import smtpd_env
from receiver import check_envelope
from smtpd_env import SLOWDOWN, wait_until

ADDRESS = "127.0.0.1"

#: What it calls itself.
NAME = "mta.example.net"


class MailServer:
    """Runs in its own folder until the end of the block, and accepts mail on `port`. A derived class writes its
    files, and defines the command that starts it in the foreground, the place of its logs, and its mark on
    forwarded messages."""

    environment = {}

    def __init__(self):
        self.port = smtpd_env.free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="smtpd-peer-"))
        self.folder.chmod(0o755)
        self._process = None

    def __enter__(self):
        with open(self.folder / "output", "wb") as output:
            self._process = subprocess.Popen([str(word) for word in self.command()], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output,
                                             stderr=output, env={"PATH": os.environ["PATH"], **self.environment}, start_new_session=True)
        try:
            wait_until(self._answers, 20, "the mail server does not answer", interval=0.05)
        except BaseException:
            self.__exit__(AssertionError)
            raise
        return self

    def __exit__(self, kind=None, *_):
        self._process.terminate()
        try:
            self._process.wait(20 * SLOWDOWN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if kind is not None:
            print(f"--- the end of its log\n{self.log_text()[-6000:]}")
        if not os.environ.get("SMTPD_KEEP_FILES"):
            shutil.rmtree(self.folder)

    def _answers(self):
        assert self._process.poll() is None, f"the mail server has ended: {self.log_text()}"
        try:
            with socket.create_connection((ADDRESS, self.port), 5) as client:
                return client.recv(512).startswith(b"220")
        except OSError:
            return False

    def log_text(self):
        return "".join(path.read_text(errors="backslashreplace") for path in [self.folder / "output", *self.log_files()] if path.exists())

    def wait_log(self, words, count=1):
        wait_until(lambda: self.log_text().count(words) >= count, 30, f"the log has no {words!r}:\n{self.log_text()[-4000:]}")

    def submit(self, message, sender, recipients, options=("BODY=8BITMIME",)):
        """Gives it a message, as a client does."""
        with smtplib.SMTP(ADDRESS, self.port, local_hostname="origin.example.net", timeout=30 * SLOWDOWN) as client:
            assert client.sendmail(sender, recipients, message, list(options)) == {}

    def check_relayed(self, arrived, message, **envelope):
        """Checks that the arrived message is the one that this server got, with its Received field."""
        assert arrived.behind(f"by {NAME} {self.signature(envelope.get('protocol'))}") == message
        assert f"from {NAME} " in arrived.received
        check_envelope(arrived, **envelope)

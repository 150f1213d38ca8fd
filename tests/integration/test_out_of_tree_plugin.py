"""A foreign plugin: built against the files of `make install`, with only the pkg-config file, then loaded and used."""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

import sanitizers
import smtpd_env
from daemon import Daemon
from smtp_client import Client

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "sample_plugin.cc"

HEADER = b"From: sender@example.net\r\nSubject: sample\r\n\r\n"


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The root of an installation made with DESTDIR."""
    root = tmp_path_factory.mktemp("destdir")
    run(["make", "-s", "-C", str(sanitizers.build_dir()), "install", f"DESTDIR={root}"], timeout=600 * smtpd_env.SLOWDOWN)
    return root


SOURCES = [SOURCE, *sorted((pathlib.Path(__file__).parent / "out_of_tree").glob("*.cc"))]


@pytest.fixture(scope="module")
def plugin_dir(installed):
    """A folder with the built plugins, outside the tree."""
    pkg_config = shutil.which("pkg-config") or pytest.skip("pkg-config is not installed")
    files = list(installed.rglob("smtpd.pc"))
    assert len(files) == 1, f"the installation has these: {files}"
    environment = {**os.environ, "PKG_CONFIG_PATH": str(files[0].parent), "PKG_CONFIG_SYSROOT_DIR": str(installed)}
    flags = run([pkg_config, "--cflags", "smtpd"], env=environment).split()
    assert any(flag.startswith(f"-I{installed}") for flag in flags), flags
    # A folder that the server's user may look into, unlike pytest's own.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="smtpd-plugin-"))
    folder.chmod(0o755)
    for source in SOURCES:
        name = "closed_mailbox" if source == SOURCE else source.stem
        run([*smtpd_env.BUILD["cxx"].split(), "-Wall", "-Wextra", "-Werror", *flags, "-shared", "-o", str(folder / f"{name}.so"), str(source)])
    yield folder
    shutil.rmtree(folder)


def test_source_is_short():
    lines = SOURCE.read_text().splitlines()
    assert len(lines) < 25, f"{len(lines)} lines"


def test_installed_headers_compile_on_their_own(installed, tmp_path):
    folders = [path for path in installed.rglob("smtpd") if path.is_dir() and (path / "plugin.h").is_file()]
    assert len(folders) == 1
    for header in sorted(folders[0].glob("*.h")):
        source = tmp_path / "one.cc"
        source.write_text(f"#include <smtpd/{header.name}>\n")
        run([*smtpd_env.BUILD["cxx"].split(), "-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{folders[0].parent}", str(source)])


def test_its_test_runs(installed, plugin_dir, tmp_path):
    """The plugin of the manual, built with the settings of the installation."""
    pkg_config = shutil.which("pkg-config") or pytest.skip("pkg-config is not installed")
    files = list(installed.rglob("smtpd-testing.pc"))
    assert len(files) == 1, files
    environment = {**os.environ, "PKG_CONFIG_PATH": str(files[0].parent), "PKG_CONFIG_SYSROOT_DIR": str(installed)}
    flags = run([pkg_config, "--cflags", "--libs", "smtpd-testing"], env=environment).split()
    sanitize = [f"-fsanitize={smtpd_env.BUILD['sanitizers']}"] if smtpd_env.BUILD["sanitizers"] else []
    program = tmp_path / "sample_test"
    run([*smtpd_env.BUILD["cxx"].split(), "-Wall", "-Wextra", "-Werror", *sanitize, "-o", str(program), str(SOURCE.with_name("sample_test.cc")), *flags])
    run([str(program), str(plugin_dir / "closed_mailbox.so")])
    # A program that ends by an exception does not clean up.
    wrong = subprocess.run([str(program), str(plugin_dir / "missing.so")], capture_output=True, text=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert wrong.returncode != 0 and "missing" in wrong.stderr, wrong


def test_plugin_exports_its_descriptor_and_nothing_else(plugin_dir):
    nm = shutil.which("nm") or pytest.skip("nm is not installed")
    names = {line.split()[-1] for line in run([nm, "-D", "--defined-only", str(plugin_dir / "closed_mailbox.so")]).splitlines()}
    ours = {name for name in names if "losedMailbox" in name or name == "smtpd_plugin"}
    assert ours == {"smtpd_plugin"}, ours


def test_it_works(make_server, mpm, plugin_dir):
    server = make_server(mpm)
    smtp = server.smtp('SmtpPlugin closed_mailbox name=office\nSmtpPlugin closed_mailbox:2 reject_type=temp\nSmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir "@maildir@"',
                       f'SmtpPluginDir "{plugin_dir}"')
    server.start()
    with Client(smtp.port) as client:
        client.ehlo()
        client.command("MAIL FROM:<sender@example.net>", 250)
        client.command("RCPT TO:<office@example.com>", 550, "5.7.1", "This mailbox is closed")
        client.command("RCPT TO:<closed@example.com>", 450, "4.7.1", "This mailbox is closed")
        client.command("RCPT TO:<open@example.com>", 250)
        client.data(HEADER).expect(250)
        client.quit()
    server.wait_log(r"\(rcpt\) closed_mailbox: fail: office@example\.com is closed")
    server.wait_log(r"\(rcpt\) closed_mailbox:2: fail: closed@example\.com is closed")


@pytest.mark.parametrize("address", ["127.0.0.1:{port}", "localhost:{port}"])
def test_a_plugin_that_asks_a_server(make_server, mpm, plugin_dir, address):
    """It sees the message while it arrives, reads what another plugin has found, and asks a back end in a task."""
    def answer(request):
        return None if b"\n" not in request else b"yes\n" if request.endswith(b" 4 pass\n") else b"no, too long\n"

    with contextlib.closing(Daemon(None, answer)) as expert:
        server = make_server(mpm)
        smtp = server.smtp(f'SmtpPlugin says_spf\nSmtpPlugin second_opinion {address.format(port=expert.port)}\nSmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir "@maildir@"',
                           f'SmtpPluginDir "{plugin_dir}"')
        server.start()
        with Client(smtp.port) as client:
            client.ehlo()
            client.deliver(HEADER + b"text\r\n").expect(250)
            client.deliver(HEADER + b"text\r\nmore\r\n").expect(552, "5.7.1", "An expert is against this message")
        size = len(HEADER + b"text\r\n")
        assert expert.requests == [b"%d 4 pass\n" % size, b"%d 5 pass\n" % (size + 6)]
    server.wait_log(r'\(data_post\) second_opinion: fail: the expert says no, too long')
    assert b"spf=pass smtp.mailfrom=sender@example.net" in smtp.maildir.only().raw


def test_a_plugin_whose_server_is_silent(make_server, plugin_dir):
    with contextlib.closing(Daemon(None, lambda request: Daemon.SILENCE, stays=True)) as expert:
        server = make_server("event")
        smtp = server.smtp(f'SmtpPlugin second_opinion 127.0.0.1:{expert.port} deadline=500ms onerror=tempfail\nSmtpPlugin rcpt_ok\nSmtpPlugin queue/maildir "@maildir@"',
                           f'SmtpPluginDir "{plugin_dir}"')
        server.allow_log("second_opinion")
        server.start()
        with Client(smtp.port) as client:
            client.ehlo()
            client.deliver(HEADER + b"text\r\n").expect(451)


def test_its_options_are_checked(make_server, plugin_dir):
    server = make_server("event")
    server.smtp("SmtpPlugin closed_mailbox nane=office", f'SmtpPluginDir "{plugin_dir}"')
    good, output = server.configtest()
    assert not good and re.search(r'closed_mailbox: .*unknown option "nane" \(did you mean "name"', output), output


def test_plugin_for_another_version_is_refused(make_server, installed):
    """The same source, with the number of the API changed: the server names both."""
    headers = next(path.parent for path in installed.rglob("smtpd/plugin.h"))
    number = re.search(r"api_version\s*=\s*(\d+)", (headers / "base" / "api.h").read_text())
    folder = pathlib.Path(tempfile.mkdtemp(prefix="smtpd-plugin-"))
    try:
        changed = folder / "include"
        shutil.copytree(headers, changed / "smtpd")
        text = (changed / "smtpd" / "base" / "api.h").read_text()
        (changed / "smtpd" / "base" / "api.h").write_text(text[: number.start(1)] + "9999" + text[number.end(1):])
        run([*smtpd_env.BUILD["cxx"].split(), "-std=c++20", "-fPIC", "-fvisibility=hidden", "-shared", f"-I{changed}", "-o", str(folder / "closed_mailbox.so"), str(SOURCE)])
        server = make_server("event")
        server.smtp("SmtpPlugin closed_mailbox", f'SmtpPluginDir "{folder}"')
        good, output = server.configtest()
        assert not good and re.search(rf"closed_mailbox.*9999.*\b{number[1]}\b", output), output
    finally:
        shutil.rmtree(folder)

"""Shared parts of the integration tests: the servers, the three MPMs, the marker of slow tests."""

import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import certificates  # noqa: E402  (needs the path)
import name_server  # noqa: E402  (needs the path)
import smtpd_env  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than a few seconds; left out with -m 'not slow'")


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Tells the fixtures whether the test itself failed."""
    outcome = yield
    if call.when == "call":
        item.test_failed = outcome.get_result().failed


@pytest.fixture(params=smtpd_env.MPMS)
def mpm(request):
    """Each of the MPMs in turn."""
    modules = pathlib.Path(smtpd_env.BUILD["httpd_modules"]) if smtpd_env.BUILD else None
    if modules and not (modules / f"mod_mpm_{request.param}.so").is_file():
        pytest.skip(f"this httpd has no mpm_{request.param}")
    return request.param


@pytest.fixture
def make_server(request):
    """Makes servers. After the test it stops them and checks their logs; after a failure it shows the logs."""
    servers = []

    def make(*arguments, **named):
        servers.append(smtpd_env.Httpd(*arguments, **named))
        return servers[-1]

    yield make
    failed = getattr(request.node, "test_failed", False)
    problems = []
    for server in reversed(servers):
        problems += server.finish(show=failed)
    assert failed or not problems, "\n".join(problems)


@pytest.fixture
def tls_server(make_server):
    """Makes servers with their own authority, a virtual host for SMTP with STARTTLS, and the HTTPS host that lends
    its certificate; or, with `implicit`, a host for SMTP with TLS from the first octet: (server, smtp,
    authority)."""
    certificates.needs_mod_ssl()

    def make(mpm="event", start_tls="on", more="", https="", main="", implicit=False, plugins=None, modules=(), **named):
        main = f"{certificates.SESSION_CACHE}\n{main}"
        server = make_server(mpm, modules=("ssl", "socache_shmcb", *modules), main=main, log_level="notice smtpd:info", **named)
        authority = certificates.Authority(server.root)
        lines = certificates.lines(authority.issue("mx.example.com", "web.example.com", "localhost", file="mx"))
        if implicit:
            smtp = server.smtp(plugins, f"{lines}\n{https}\n{more}")
        else:
            smtp = server.smtp(plugins, f"SmtpStartTLS {start_tls}\n{more}")
            server.http(f"{lines}\n{https}", name="mx.example.com", protocol="https")
        return server, smtp, authority

    return make


@pytest.fixture
def nsd(request, tmp_path):
    """NSD with the zones of the test's module, its ZONES."""
    if name_server.nsd_tree() is None:
        pytest.skip("there is no nsd (bootstrap check unpacks it)")
    with name_server.Nsd(request.module.ZONES, tmp_path / "nsd") as server:
        yield server


@pytest.fixture
def small_disk():
    """small_disk(server, folder, options): mounts a file system of 400 KB on the folder, for the server's children to write to."""
    mounted = []

    def mount(server, folder, options="size=400k"):
        if not smtpd_env.is_root():
            pytest.skip("mounting a small file system needs root")
        owner = f",uid={server.user[1]},gid={server.user[2]},mode=0700"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options + owner, "tmpfs", str(folder)], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"this machine mounts no tmpfs: {done.stderr.strip()}")
        mounted.append(folder)

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def needs_ipv6():
    if not smtpd_env.has_ipv6():
        pytest.skip("this machine has no IPv6 loopback address")


@pytest.fixture(scope="session")
def suites():
    """The folder with external test data."""
    folder = os.environ.get("SMTPD_SUITES")
    if not folder or not pathlib.Path(folder).is_dir():
        pytest.skip("SMTPD_SUITES names no folder")
    return pathlib.Path(folder)

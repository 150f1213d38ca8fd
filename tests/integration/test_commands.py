"""What all commands have in common: --version, --help, and an error that names the wrong word; and smtpd-plugin."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

import sanitizers
import smtpd_env
from smtpd_env import SLOWDOWN

TOOLS = sanitizers.build_dir() / "tools"
COMMANDS = (
    "smtpd-auth",
    "smtpd-dkim-keygen",
    "smtpd-dmarc-report",
    "smtpd-karma",
    "smtpd-plugin",
    "smtpd-setup",
    "smtpd-store",
    "smtpd-try",
)
SOURCE = pathlib.Path(smtpd_env.__file__).resolve().parents[2]
MANUAL = sanitizers.build_dir() / "docs" / "made"
PLUGINS = sanitizers.build_dir() / "stage" / "plugins"


def run(command, *arguments, **named):
    prefix = [] if command in ("smtpd-plugin", "smtpd-setup") else sanitizers.command_prefix(smtpd_env.BUILD)
    done = subprocess.run([*prefix, str(TOOLS / command), *map(str, arguments)], capture_output=True, text=True, timeout=60 * SLOWDOWN,
                          env={**os.environ, **sanitizers.environment(smtpd_env.BUILD)}, **named)
    return done.returncode, done.stdout, done.stderr


def version():
    return re.search(r"^AC_INIT\(\[mod_smtpd\], \[([^]]+)\]", (SOURCE / "configure.ac").read_text(), re.M)[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_its_version_and_its_usage(command):
    assert run(command, "--version") == (0, f"{command} (mod_smtpd) {version()}\n", "")
    status, printed, complaint = run(command, "--help")
    assert (status, complaint) == (0, "") and printed.startswith(f"usage: {command} ") and "--version" in printed
    page = (SOURCE / "docs" / f"{command}.1").read_text()
    assert "version" in page


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("word", ["--colour", "grow"])
def test_every_command_names_an_unknown_word(command, word):
    status, printed, complaint = run(command, word)
    assert status >= 2 and printed == "" and complaint.startswith(f"{command}: ")
    assert word in complaint or command == "smtpd-try", complaint  # for which it is a message, that needs --ip


# --- smtpd-plugin


def plugin(*arguments, **named):
    return run("smtpd-plugin", "-p", PLUGINS, "-m", MANUAL, *arguments, **named)


@pytest.fixture(scope="module", autouse=True)
def manual():
    made = subprocess.run(["make", "-s", "-C", str(sanitizers.build_dir()), "docs"], capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr


def test_all_plugins_are_listed_with_a_line():
    status, printed, complaint = plugin("list")
    assert (status, complaint) == (0, "")
    lines = dict(line.split(None, 1) for line in printed.splitlines())
    sources = {str(path.relative_to(SOURCE / "plugins"))[:-3] for path in (SOURCE / "plugins").rglob("*.cc")}
    assert set(lines) == sources and list(lines) == sorted(lines)
    assert lines["queue/maildir"] == "Deliver into a Maildir, or into one Maildir per recipient."
    built = {str(path.relative_to(PLUGINS))[:-3] for path in PLUGINS.rglob("*.so")}
    assert {name for name, line in lines.items() if line.endswith("(not installed)")} == sources - built
    found = plugin("list", "MAILDIR")[1].splitlines()
    assert found and all("maildir" in line.lower() for line in found) and len(found) < len(lines)
    assert plugin("list", "no such word")[0] == 1


def test_plugins_of_others_are_listed(tmp_path):
    (tmp_path / "spam").mkdir()
    (tmp_path / "spam" / "mine.so").touch()
    status, printed, _ = run("smtpd-plugin", "-p", tmp_path, "-m", tmp_path, "list")
    assert (status, printed.split()) == (0, ["spam/mine", "(without", "a", "manual)"])
    status, _, complaint = run("smtpd-plugin", "-p", tmp_path, "-m", tmp_path, "show", "mine")
    assert status == 1 and "spam/mine has no manual" in complaint
    status, _, complaint = run("smtpd-plugin", "-p", tmp_path / "nowhere", "-m", tmp_path / "nowhere", "list")
    assert status == 2 and "there are no plugins" in complaint


def test_a_manual_is_shown():
    status, printed, complaint = plugin("show", "queue/maildir")
    assert (status, complaint) == (0, "") and printed.startswith("# queue/maildir\n")
    assert "| `newline` |" in printed and "\\<" not in printed and "](" not in printed
    assert plugin("show", "maildir")[1] == printed
    status, _, complaint = plugin("show", "maildri")
    assert status == 1 and 'there is no plugin "maildri"' in complaint
    status, _, complaint = plugin("show", "white")
    assert status == 1 and "there are: dns_whitelist_soft whitelist" in complaint


@pytest.mark.parametrize("arguments, complaint", [
    (("show",), "a word is missing: show takes PLUGIN"), (("show", "a", "b"), 'unexpected word "b"'), (("list", "a", "b"), 'unexpected word "b"'),
    (("new",), "a word is missing"), (("new", "a", "b", "c"), 'unexpected word "c"'), (("new", "../x"), '"../x" must be lower-case letters'), (("new", "1st"), "must be lower-case letters"),
    (("new", "--policy", "x"), 'unknown option "--policy"'), (("-p",), "-p needs a folder"),
])
def test_wrong_calls_name_the_wrong_word(tmp_path, arguments, complaint):
    status, printed, said = run("smtpd-plugin", *arguments, cwd=tmp_path)
    assert (status, printed) == (2, "") and complaint in said
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The settings of an installation with DESTDIR, from pkg-config, as variables of the Makefile."""
    pkg_config = shutil.which("pkg-config") or pytest.skip("pkg-config is not installed")
    root = tmp_path_factory.mktemp("destdir")
    made = subprocess.run(["make", "-s", "-C", str(sanitizers.build_dir()), "install", f"DESTDIR={root}"], capture_output=True, text=True, timeout=600 * SLOWDOWN)
    assert made.returncode == 0, made.stdout + made.stderr
    (file,) = root.rglob("smtpd.pc")
    environment = {**os.environ, "PKG_CONFIG_PATH": str(file.parent), "PKG_CONFIG_SYSROOT_DIR": str(root)}
    libs = subprocess.run([pkg_config, "--libs", "smtpd"], capture_output=True, text=True, env=environment).stdout
    if str(root) not in libs:  # not every pkg-config puts the root in front of other paths than those of -I and -L
        libs = libs.replace("--version-script=", f"--version-script={root}")
    sanitize = f"-fsanitize={smtpd_env.BUILD['sanitizers']} " if smtpd_env.BUILD["sanitizers"] else ""
    return environment, [f"CXX={smtpd_env.BUILD['cxx']}", f"CXXFLAGS={sanitize}-O0 -Wall -Wextra -Werror",
                         f"PLUGIN_LIBS={libs.strip()}", f"DESTDIR={root}"]


@pytest.mark.parametrize("kind", [(), ("--queue",)])
def test_a_new_plugin_compiles_and_passes_its_test(tmp_path, installed, kind):
    environment, variables = installed
    status, printed, complaint = plugin("new", *kind, "my_first2", cwd=tmp_path)
    assert (status, complaint) == (0, "") and "cd my_first2 && make check" in printed
    folder = tmp_path / "my_first2"
    assert {path.name for path in folder.iterdir()} == {"my_first2.cc", "my_first2_test.cc", "Makefile"}
    done = subprocess.run(["make", "-s", "check", "install", *variables], cwd=folder, capture_output=True, text=True, env=environment, timeout=600 * SLOWDOWN)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(pathlib.Path(variables[-1].partition("=")[2]).rglob("my_first2.so"))) == 1
    broken = subprocess.run([folder / "my_first2_test", "./missing.so"], capture_output=True, text=True, cwd=folder, env={**environment, "TMPDIR": str(tmp_path)})
    assert broken.returncode != 0, "a test that cannot fail"
    before = (folder / "my_first2.cc").read_text()
    status, _, complaint = plugin("new", "my_first2", folder)
    assert status == 1 and "exists already; nothing was written" in complaint
    assert (folder / "my_first2.cc").read_text() == before

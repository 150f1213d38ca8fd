"""Runs a stock httpd with a module that was built with sanitizers.

httpd itself is not instrumented, so it does not load the sanitizer's run-time library before the module; these
functions preload it. Reports go to standard error, which httpd directs to its ErrorLog. REPORT finds them there, and a
log with a report fails the test.

Only the unit tests look for leaks: httpd's own pools are still full when it exits, and a child that has changed its
user cannot be inspected.
"""

import functools
import json
import os
import pathlib
import re
import shutil
import subprocess

#: The first line of a report in an ErrorLog.
REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|: runtime error: |FATAL: ThreadSanitizer|ASan runtime does not come first")


def build_dir():
    """The build to test: SMTPD_BUILD_DIR, or build/ beside the sources."""
    return pathlib.Path(os.environ.get("SMTPD_BUILD_DIR") or pathlib.Path(__file__).resolve().parents[2] / "build")


def load_build(directory=None):
    """The results of configure and make, from build_config.json."""
    with open(pathlib.Path(directory or build_dir()) / "build_config.json", encoding="utf-8") as file:
        return json.load(file)


@functools.lru_cache(maxsize=None)
def runtime_library(compiler, name):
    """The full path of a sanitizer's shared run-time library."""
    asked = subprocess.run([*compiler.split(), f"-print-file-name={name}"], capture_output=True, text=True, check=True).stdout.strip()
    if not os.path.isabs(asked):
        raise RuntimeError(f"{compiler} has no {name}: a server can be tested under a sanitizer only when it was built with g++")
    return os.path.realpath(asked)


def preload(build):
    """The libraries to preload, in this order; none for a build without sanitizers."""
    sanitizers = [name for name in build["sanitizers"].split(",") if name]
    libraries = {"address": "libasan.so", "thread": "libtsan.so", "undefined": "libubsan.so", "leak": "liblsan.so"}
    # The one that intercepts calls has to come first.
    return [runtime_library(build["cxx"], libraries[name]) for name in sorted(sanitizers, key=lambda name: name == "undefined")]


def environment(build, base=None):
    """The environment for an httpd, or another uninstrumented program that opens our DSOs, of this build."""
    env = dict(os.environ if base is None else base)
    libraries = preload(build)
    if libraries:
        env["LD_PRELOAD"] = ":".join(libraries)
        # httpd has handlers of its own for crashes, which would only name the signal.
        env.setdefault("ASAN_OPTIONS", "detect_leaks=0:detect_odr_violation=1:abort_on_error=0:print_stacktrace=1:handle_segv=2:handle_sigbus=2:handle_sigfpe=2")
        env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
        suppressions = pathlib.Path(build["source_dir"]) / "tests" / "tsan.supp"
        # A child of the prefork MPM ends, and has its pools cleaned up, within its handler of SIGTERM.
        env.setdefault("TSAN_OPTIONS", f"suppressions={suppressions}:history_size=4:second_deadlock_stack=1:report_signal_unsafe=0")
    return env


@functools.lru_cache(maxsize=None)
def _command_prefix(libraries):
    """ThreadSanitizer of gcc 12 does not start where the kernel spreads mappings widely (vm.mmap_rnd_bits above 30)."""
    if not any("libtsan" in library for library in libraries):
        return []
    env = {**os.environ, "LD_PRELOAD": ":".join(libraries)}
    for prefix in ([], [shutil.which("setarch") or "setarch", "-R"]):
        try:
            if subprocess.run([*prefix, "true"], env=env, capture_output=True).returncode == 0:
                return prefix
        except OSError:
            continue
    raise RuntimeError("ThreadSanitizer does not start on this machine, with or without setarch -R")


def command_prefix(build):
    """The prefix of the httpd command line; usually empty."""
    return list(_command_prefix(tuple(preload(build))))


def slowdown(build):
    """The factor by which tests stretch their waits."""
    return {"": 1, "thread": 8}.get(build["sanitizers"], 4)

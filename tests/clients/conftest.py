"""The tests with foreign mail programs use the servers of the integration tests."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

import receiver as receivers  # noqa: E402  (needs the path)


@pytest.fixture(scope="module")
def shared_receiver():
    """One server for all tests of a module without special needs; `receiver` empties its maildirs for each test."""
    with receivers.running() as shared:
        yield shared


@pytest.fixture
def receiver(shared_receiver):
    shared_receiver.clear()
    return shared_receiver


@pytest.fixture(scope="module")
def shared_mta(request, shared_receiver):
    """A mail server of the kind that the module names as its MTA, or that the test gets as a parameter."""
    kind = getattr(request, "param", None) or request.module.MTA
    with kind(shared_receiver.starttls.port, shared_receiver.authority) as mta:
        yield mta


@pytest.fixture
def mta(shared_mta, receiver):
    """With STARTTLS and without a login; that of `receiver`."""
    return shared_mta

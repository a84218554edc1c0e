import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# A line for the end of the report.
NOTE = pytest.StashKey[str]()


def pytest_terminal_summary(terminalreporter, config):
    if NOTE in config.stash:
        terminalreporter.write_line(config.stash[NOTE])


@pytest.fixture(scope="session")
def sources():
    """Every tracked C++ file of the product and its tests, as {relative path: text}."""
    listed = subprocess.run(["git", "ls-files", "--", "*.cc", "*.h"], cwd=ROOT, check=True,
                            capture_output=True, text=True).stdout.split()
    return {path: (ROOT / path).read_text() for path in listed if (ROOT / path).exists()}

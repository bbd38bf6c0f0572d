"""The command line, called in this process."""

import sys

import pytest
from click.testing import CliRunner

from izhigen.cli import cli, main


def ok(*arguments):
    """What was printed by a command that succeeds."""
    result = CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def fails(capsys, monkeypatch, *arguments):
    """Exit code and what was printed to standard error."""
    monkeypatch.setattr(sys, "argv", ["izhigen", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code, capsys.readouterr().err

"""The command line: arguments, wiring, exit codes; nothing else. The help lists commands in the order imported."""

from recaption.cli import running  # isort: skip
from recaption.cli import evaluating  # isort: skip
from recaption.cli import downstream  # isort: skip
from recaption.cli import auditing  # isort: skip
from recaption.cli import audit_results  # isort: skip
from recaption.cli import looking  # isort: skip
from recaption.cli.app import start as main  # isort: skip

__all__ = ["audit_results", "auditing", "downstream", "evaluating", "looking", "main", "running"]

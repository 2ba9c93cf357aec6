"""`python -m recaption`."""

from recaption.cli import main

main()

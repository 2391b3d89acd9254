"""`python -m router.cli` is `router`."""

from router.cli import main

main()

"""Entry point for ``python -m diffsign``."""

from diffsign.cli import main

if __name__ == "__main__":
    main()

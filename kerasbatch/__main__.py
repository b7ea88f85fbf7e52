"""`python -m kerasbatch`, the same as `kerasbatch`."""

from kerasbatch.cli import main

if __name__ == "__main__":
    main()

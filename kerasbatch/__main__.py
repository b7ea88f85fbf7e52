"""`python -m kerasbatch`, the same as `kerasbatch`."""

from kerasbatch.cli.app import main

if __name__ == "__main__":
    main()

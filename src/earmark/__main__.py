"""`python -m earmark` is `earmark`."""

from earmark.cli.app import main

if __name__ == "__main__":
    main()

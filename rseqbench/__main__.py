"""`python -m rseqbench` is `rseqbench`."""

from rseqbench.cli import main

if __name__ == "__main__":
    main()

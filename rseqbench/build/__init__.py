"""From sources to programs: compilers, architectures, the cache of compiled benchmarks."""

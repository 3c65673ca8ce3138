"""One benchmark on many machines: which differ, and whether a claim holds on all of them."""

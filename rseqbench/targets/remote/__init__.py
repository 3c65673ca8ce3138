"""A machine behind ssh that has nothing but an sshd and a POSIX sh: a file is copied there, run, and talked to."""

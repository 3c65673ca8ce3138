"""What runs on the remote machine: POSIX sh, joined to one line.

The login shell of the user over there reads it first, and may be csh or fish: so no newline and no apostrophe is in
it, and an exclamation mark only before a space. Each begins by saying READY, because a login shell may greet before.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

READY = b"rseqbench: ready"
NO_FOLDER, NOT_WRITTEN, FOREIGN, GONE, NO_FIFO = range(113, 118)  # exit codes, which a program hardly uses

# The last of TMPDIR, ~/.cache and ~ is for machines whose /tmp is mounted noexec. A file without a first line that
# names an interpreter is run by the shell, but not where executing is forbidden. Whoever opened the connection holds
# it open; at its end, for whatever reason, `read` ends too.
KEEP = """
umask 077; folder=;
remove() { cd /; rm -rf "$folder"; };
trap remove EXIT; trap "exit 1" HUP INT TERM PIPE;
for base in "${TMPDIR:-/tmp}" "${XDG_CACHE_HOME:-$HOME/.cache}" "$HOME"; do
    test -d "$base" || continue;
    folder=$(mktemp -d "$base/rseqbench.XXXXXX") || { folder=; continue; };
    echo : >"$folder/try" && chmod 700 "$folder/try" && "$folder/try" && rm "$folder/try" && break;
    rm -rf "$folder"; folder=;
done;
test -n "$folder" || exit 113;
uname -m; echo "$folder";
while read -r line; do :; done
"""

# A shell that Linux tells "exec format error" takes the file for a script and interprets machine code. So the file is
# first the interpreter of a script whose second line only a shell will reach. (041 is the exclamation mark.)
COPY = r"""
umask 077; cd "$1" || exit 116;
cat >"$2.part" && chmod 700 "$2.part" || exit 114;
for sum in sha256sum cksum "wc -c"; do command -v ${sum% -c} >/dev/null && break; done;
echo $sum; $sum <"$2.part" || exit 114;
mv "$2.part" "$2" || exit 114;
printf "#\041./%s\necho >%s.foreign\n" "$2" "$2" >"$2.try" && chmod 700 "$2.try" || exit 114;
"./$2.try" </dev/null >/dev/null 2>&1;
rm "$2.try"; test -e "$2.foreign" && { rm "$2.foreign"; exit 115; };
echo copied
"""

# The program may be busy for minutes and would not see the end of its input, so that passes through a cat, at whose
# end the program has a second left. It keeps nothing of the connection open after the program.
RUN = """
cd "$1" || exit 116; shift;
fifo=input.$$; mkfifo "$fifo" || exit 117;
exec 3<&0;
"$@" <"$fifo" 3<&- & program=$! ;
{ cat <&3 >"$fifo"; sleep 1; kill -9 $program; } >/dev/null 2>&1 & relay=$! ;
exec 3<&-;
wait $program; code=$?;
kill $relay; rm -f "$fifo"; exit $code
"""


def command(script: str, arguments: Sequence[str] = ()) -> str:
    """Return what ssh is given to run a script with its arguments, whatever the login shell.

    (Only fish reads an argument with two backslashes, or with one at its end, in its own way.)
    """
    line = " ".join(part.strip() for part in [f'echo "{READY.decode()}";', *script.splitlines()])
    return f"exec sh -c {shlex.quote(line)} sh {shlex.join(arguments)}"

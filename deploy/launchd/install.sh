#!/bin/sh
# Installs the Muster agent that lies beside this script as a daemon of launchd, joins this Mac to a collector and starts it.
#
#   sudo ./install.sh --collector HOST:PORT --token-file FILE [--label NAME=VALUE]...
#
# It takes the words of `muster-agent install` and may be repeated. Exit codes: 0 all is as it should be, changed or not;
# 1 it failed; 64 wrong words.
set -u
program=$(cd "$(dirname "$0")" && pwd)/muster-agent

wrong() { printf 'install.sh: %s\n' "$1" >&2; exit 64; }

[ "$(uname -s)" = Darwin ] || wrong "this is the archive for macOS, and this system is $(uname -s)"
[ -x "$program" ] || wrong "$program is not there: unpack the whole archive"
# What a browser has brought is not started; whoever runs this wants it.
xattr -d com.apple.quarantine "$program" 2>/dev/null

"$program" install "$@"
code=$?
# 2 means that something was changed, which management tools would take for a failure.
[ "$code" -ne 2 ] || code=0
exit "$code"

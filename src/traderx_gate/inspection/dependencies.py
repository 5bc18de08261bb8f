"""Dependencies: what a service calls can be reached from inside its pods."""

from collections.abc import Sequence

from traderx_gate.kube import Executed
from traderx_gate.verdict import Observation

TIMEOUT_S = 3
NO_TOOL = "nothing to connect with"
# Images have little in them: whatever can open a connection is taken, in this order.
_SCRIPT = f"""
host=$1 port=$2
if command -v python3 >/dev/null; then
  python3 -c 'import socket, sys
try: socket.create_connection((sys.argv[1], int(sys.argv[2])), {TIMEOUT_S}).close()
except OSError as error: sys.exit(str(error))' "$host" "$port"
elif command -v node >/dev/null; then
  node -e 'const s = require("net").connect(process.argv[2], process.argv[1]);
s.setTimeout({TIMEOUT_S * 1000}, () => {{ console.log("timed out"); process.exit(1); }});
s.on("connect", () => process.exit(0));
s.on("error", e => {{ console.log(e.message); process.exit(1); }});' "$host" "$port"
elif command -v bash >/dev/null; then
  timeout {TIMEOUT_S} bash -c 'exec 3<>/dev/tcp/$0/$1' "$host" "$port"
elif command -v nc >/dev/null; then
  nc -z -w {TIMEOUT_S} "$host" "$port"
else
  echo "{NO_TOOL}"
  exit 2
fi
"""


def command(call: str) -> Sequence[str]:
    """Return the command that connects to `service:port` from inside a container."""
    host, _, port = call.partition(":")
    return ("sh", "-c", _SCRIPT, "connect", host, port)


def has_tool(ended: Executed) -> bool:
    """Whether there was anything in the image to connect with."""
    return NO_TOOL not in ended.output


def reached(pod: str, namespace: str, call: str, ended: Executed) -> Observation:
    """Tell whether a pod reached what it calls."""
    met = ended.exit_code == 0
    said = " ".join(ended.output.split())[:200]
    how = "did not end" if ended.exit_code is None else f"exit code {ended.exit_code}"
    return Observation(
        subject=f"{call} from inside pod {pod}",
        expected="a connection",
        seen="a connection" if met else f"none, {how}: {said}",
        met=met,
        where=f"kubectl -n {namespace} exec {pod} -- ...",
    )

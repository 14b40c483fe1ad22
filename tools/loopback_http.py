"""One client for what is asked on this machine: `httpx2.get` reads all certificate authorities anew at each call."""

from __future__ import annotations

import httpx2

# Nothing is kept open: a server that is killed and started again is connected to anew.
# A minute: a busy machine is slow, and whoever waits has a limit of its own.
http = httpx2.Client(verify=False, trust_env=False, timeout=60, limits=httpx2.Limits(max_keepalive_connections=0))

"""A Python worker without a queue: it has the Redis client, and finds and reaches the API server by its name."""

import os
import socket

import redis

name = "kubernetes.default.svc.cluster.local"
address = socket.gethostbyname(name)
assert address == os.environ["KUBERNETES_SERVICE_HOST"], address
socket.create_connection((address, 443), timeout=10).close()
print(f"redis client {redis.__version__}; {name} answers", flush=True)

"""The quick start's worker: takes items while there are any, and never removes them from the items in work."""

import os
import time

import redis

db = redis.StrictRedis(
    host=os.environ.get("REDIS_HOST", "localhost"),
    port=int(os.environ.get("REDIS_PORT", "6379")),
)

while db.llen("job") > 0:
    item = db.rpoplpush("job", "job:processing")
    if item is None:
        continue
    time.sleep(float(os.environ.get("WORK_SECONDS", "0.05")))
    print("done", item.decode("utf-8", "replace"), flush=True)

"""A worker with leases, as written for the original Asperathos: upper-cases each item."""

import hashlib
import os
import time
import uuid

import redis


class RedisWQ:
    """A work queue in Redis: a list of waiting items, a list of items in work, and a lease for each of these."""

    def __init__(self, name, host, port):
        self._db = redis.StrictRedis(host=host, port=port)
        self._session = str(uuid.uuid4())
        self._main = name
        self._processing = name + ":processing"
        self._results = name + ":results"
        self._errors = name + ":errors"
        self._lease_prefix = name + ":leased_by_session:"

    def session(self):
        return self._session

    def empty(self):
        return self._db.llen(self._main) == 0 and self._db.llen(self._processing) == 0

    def lease(self, lease_secs, timeout):
        """The next item with a lease on it, or None when there was none for `timeout` seconds."""
        item = self._db.brpoplpush(self._main, self._processing, timeout=timeout)
        if item is not None:
            self._db.setex(self._lease_key(item), lease_secs, self._session)
        return item

    def publish(self, value):
        self._db.rpush(self._results, value)

    def report(self, error):
        self._db.rpush(self._errors, error)

    def complete(self, item):
        self._db.lrem(self._processing, 0, item)
        self._db.delete(self._lease_key(item), self._session)

    def put_back_expired(self):
        """Items in work without a lease were lost by their worker: they wait again."""
        for item in self._db.lrange(self._processing, 0, -1):
            if not self._db.exists(self._lease_key(item)):
                with self._db.pipeline(transaction=True) as both:
                    both.rpush(self._main, item)
                    both.lrem(self._processing, 0, item)
                    both.execute()

    def _lease_key(self, item):
        return self._lease_prefix + hashlib.sha224(item).hexdigest()


def work(item):
    time.sleep(float(os.environ.get("WORK_SECONDS", "0.05")))
    return item.decode("utf-8").upper()


def main():
    queue = RedisWQ(
        os.environ.get("REDIS_QUEUE", "job"),
        host=os.environ.get("REDIS_HOST", "localhost"),
        port=int(os.environ.get("REDIS_PORT", "6379")),
    )
    lease_secs = int(os.environ.get("ITEM_LEASE_SECS", "60"))
    print("session", queue.session(), flush=True)
    while not queue.empty():
        item = queue.lease(lease_secs, timeout=2)
        if item is None:
            print("waiting for work", flush=True)
            queue.put_back_expired()
            continue
        try:
            queue.publish(work(item))
        except ValueError as error:
            queue.report("%r: %s" % (item, error))
        queue.complete(item)
        print("done", item.decode("utf-8", "replace"), flush=True)
    print("queue empty, exiting", flush=True)


if __name__ == "__main__":
    main()

//! Commands beyond the items: strings, lists, scripts, transactions, protocols, refusals.

use control::job::Order;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Fixture, Worker, connect, queue_of};

async fn worker() -> (Fixture, Worker) {
    let fixture = queue_of(Order::Lifo, 3, &["a", "b"]);
    let worker = Worker::of(&fixture.queue, "r0").await;
    (fixture, worker)
}

#[tokio::test]
async fn strings_behave_as_in_redis() {
    let (_fixture, mut worker) = worker().await;
    assert_eq!(worker.say::<Option<String>>("SET k v NX").await.unwrap(), "OK");
    assert_eq!(worker.say::<Option<String>>("SET k w NX").await, None);
    assert_eq!(worker.say::<String>("SET k w XX GET EX 100").await, "v");
    assert_eq!(worker.say::<i64>("TTL k").await, 100);
    worker.say::<()>("SET k x KEEPTTL").await;
    assert_eq!(worker.say::<i64>("TTL k").await, 100);
    assert_eq!(worker.say::<i64>("PERSIST k").await, 1);
    assert_eq!(worker.say::<i64>("TTL k").await, -1);
    assert_eq!(worker.say::<i64>("APPEND k yz").await, 3);
    assert_eq!(worker.say::<i64>("EXPIRE k -1").await, 1);
    assert_eq!(worker.say::<i64>("EXISTS k k").await, 0);
    assert_eq!(worker.say::<i64>("INCRBY n 5").await, 5);
    assert_eq!(worker.say::<i64>("DECR n").await, 4);
    worker.say::<()>("MSET a 1 b 2").await;
    assert_eq!(worker.say::<Vec<Option<String>>>("MGET a none b").await, [Some("1".into()), None, Some("2".into())]);
    assert_eq!(worker.say::<Vec<String>>("KEYS [a-n]").await, ["a", "b", "n"]);
    assert_eq!(worker.say::<(String, Vec<String>)>("SCAN 0 MATCH jo*b TYPE list").await.1, ["job"]);
    assert_eq!(worker.say::<String>("GETDEL a").await, "1");
    assert_eq!(worker.say::<String>("TYPE a").await, "none");
}

#[tokio::test]
async fn lists_behave_as_in_redis() {
    let (_fixture, mut worker) = worker().await;
    assert_eq!(worker.say::<i64>("RPUSH l a b c b a").await, 5);
    assert_eq!(worker.say::<i64>("LREM l -1 a").await, 1);
    assert_eq!(worker.say::<Vec<String>>("LRANGE l -3 -1").await, ["b", "c", "b"]);
    assert_eq!(worker.say::<i64>("LREM l 0 b").await, 2);
    worker.say::<()>("LSET l -1 z").await;
    assert_eq!(worker.say::<String>("LINDEX l 1").await, "z");
    assert_eq!(worker.say::<String>("LMOVE l m LEFT RIGHT").await, "a");
    worker.say::<i64>("RPUSH l 1 2 3").await;
    worker.say::<()>("LTRIM l 1 2").await;
    assert_eq!(worker.say::<Vec<String>>("LPOP l 5").await, ["1", "2"]);
    assert_eq!(worker.say::<i64>("EXISTS l").await, 0);
    assert_eq!(worker.say::<Vec<String>>("BRPOP l m 1").await, ["m", "a"]);
    worker.say::<()>("SET s text").await;
    assert!(worker.refused("LPUSH s x").await.contains("WRONGTYPE"));
    assert!(worker.refused("GET job").await.contains("WRONGTYPE"));
}

#[tokio::test]
async fn lock_recipes_run_and_other_scripts_are_refused() {
    let (_fixture, mut worker) = worker().await;
    let release = redis::Script::new(
        r"if redis.call('get', KEYS[1]) == ARGV[1] then
              return redis.call('del', KEYS[1])
          else
              return 0
          end",
    );
    worker.say::<()>("SET lock mine PX 60000").await;
    assert_eq!(release.key("lock").arg("theirs").invoke_async::<i64>(&mut worker.redis).await.unwrap(), 0);
    assert_eq!(release.key("lock").arg("mine").invoke_async::<i64>(&mut worker.redis).await.unwrap(), 1);
    assert_eq!(worker.say::<i64>("EXISTS lock").await, 0);
    let acquire = redis::Script::new(
        r#"-- Return 0 if an entry already exists.
           for i, key in ipairs(KEYS) do
             if redis.call("exists", key) == 1 then
               return 0
             end
           end
           for i, key in ipairs(KEYS) do
             redis.call("set", key, ARGV[1], "PX", ARGV[2])
           end
           return #KEYS"#,
    );
    let release = redis::Script::new(
        r#"local count = 0
           for i, key in ipairs(KEYS) do
             if redis.call("get", key) == ARGV[1] then
               redis.pcall("del", key)
               count = count + 1
             end
           end
           return count"#,
    );
    assert_eq!(acquire.key("one").key("two").arg("mine").arg(60_000).invoke_async::<i64>(&mut worker.redis).await.unwrap(), 2);
    assert_eq!(acquire.key("one").key("two").arg("theirs").arg(60_000).invoke_async::<i64>(&mut worker.redis).await.unwrap(), 0);
    assert!(worker.say::<i64>("PTTL two").await > 50_000);
    assert_eq!(release.key("one").key("two").arg("theirs").invoke_async::<i64>(&mut worker.redis).await.unwrap(), 0);
    assert_eq!(release.key("one").key("two").arg("mine").invoke_async::<i64>(&mut worker.redis).await.unwrap(), 2);
    let other = redis::Script::new("return redis.call('flushall')");
    let error = other.invoke_async::<_, i64>(&mut worker.redis).await.unwrap_err();
    assert!(error.to_string().contains("EVAL") && error.to_string().contains("lock recipes"), "{error}");
}

#[tokio::test]
async fn a_transaction_is_dropped_when_what_it_watched_changed() {
    let (_fixture, mut worker) = worker().await;
    worker.say::<()>("WATCH k").await;
    let mut other = connect(worker.address, "").await;
    redis::cmd("SET").arg("k").arg("changed").query_async::<()>(&mut other).await.unwrap();
    worker.say::<()>("MULTI").await;
    worker.say::<String>("SET k mine").await;
    assert_eq!(worker.say::<Option<Vec<String>>>("EXEC").await, None);
    assert_eq!(worker.say::<String>("GET k").await, "changed");
    worker.say::<()>("MULTI").await;
    worker.refused("NOSUCH").await;
    assert!(worker.refused("EXEC").await.to_uppercase().contains("DISCARDED"));
}

#[tokio::test]
async fn workers_cannot_end_or_change_the_job() {
    let (fixture, mut worker) = worker().await;
    assert!(worker.refused("DEL job").await.contains("stop the job instead"));
    assert!(worker.refused("FLUSHALL").await.contains("cannot be flushed"));
    assert!(worker.refused("SET job x").await.contains("belongs to the job"));
    assert!(worker.refused("SELECT 1").await.contains("out of range"));
    assert!(worker.refused("HSET h f v").await.contains("a Redis of its own"));
    assert!(worker.refused("LLEN").await.contains("wrong number of arguments"));
    assert_eq!(super::counts(&fixture.queue), [2, 0, 0, 0]);
}

#[tokio::test]
async fn resp3_clients_are_answered_in_resp3() {
    let (_fixture, worker) = worker().await;
    let mut redis = connect(worker.address, "?protocol=resp3").await;
    let hello: redis::Value = redis::cmd("HELLO").arg(3).query_async(&mut redis).await.unwrap();
    assert!(matches!(hello, redis::Value::Map(_)), "{hello:?}");
    let none: Option<(String, String)> = redis::cmd("BLPOP").arg("none").arg(0.01).query_async(&mut redis).await.unwrap();
    assert_eq!(none, None);
}

#[tokio::test]
async fn a_pipeline_is_answered_in_order() {
    let (_fixture, mut worker) = worker().await;
    let mut pipe = redis::pipe();
    for number in 0..5000 {
        pipe.cmd("RPUSH").arg("l").arg(number).cmd("LINDEX").arg("l").arg(-1);
    }
    let replies: Vec<i64> = pipe.query_async(&mut worker.redis).await.unwrap();
    let wanted: Vec<i64> = (0..5000).flat_map(|number| [number + 1, number]).collect();
    assert_eq!(replies, wanted);
}

/// What the server answers to raw bytes before it closes the connection.
async fn raw(worker: &Worker, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(worker.address).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn malformed_and_oversized_commands_end_the_connection_with_a_reason() {
    let (_fixture, worker) = worker().await;
    assert_eq!(raw(&worker, b"PING\r\n*1\r\n$4\r\nPING\r\nQUIT\r\n").await, "+PONG\r\n+PONG\r\n+OK\r\n");
    assert!(raw(&worker, b"*2\r\n$4\r\nECHO\r\n*1\r\n").await.contains("array of bulk strings"));
    assert!(raw(&worker, b"*1\r\n$99999999\r\n").await.contains("at most 64 MiB"));
    assert!(raw(&worker, b"*99999999\r\n").await.contains("too many arguments"));
    assert!(raw(&worker, b"*-1\r\n").await.contains("invalid length"));
}

//! Whether a Redis can keep a queue, asked before a job is accepted: reached, let in, writable, and no cache.

use std::time::Duration;

use redis::{RedisError, aio::MultiplexedConnection};

use super::{
    address::Address,
    link::{connect, words},
};

/// Somebody waits for the answer to a submission.
const CHECK: Duration = Duration::from_secs(3);

/// # Errors
/// What is wrong and what would be right, in words without credentials.
pub async fn check(address: &Address) -> Result<(), String> {
    match tokio::time::timeout(CHECK, checked(address)).await {
        Ok(checked) => checked,
        Err(_) => Err(refused(address, "it does not answer")),
    }
}

fn refused(address: &Address, why: &str) -> String {
    let hint = match why {
        "it asks for a password" => "; write it into the URL, as in redis://:PASSWORD@host:6379/0",
        "nothing listens there" | "it does not answer" => "; is a Redis running there, and reached from the server?",
        _ => "",
    };
    format!("cannot be used: {address}: {why}{hint}")
}

async fn checked(address: &Address) -> Result<(), String> {
    let failed = |error: RedisError| refused(address, &words(&error));
    let mut redis = connect(address).await.map_err(failed)?;
    // What it tells of itself may be forbidden to this user; it may still be fit.
    let told: String = redis::cmd("INFO").query_async(&mut redis).await.or_else(|error| match error.code() {
        Some("NOPERM") => Ok(String::new()),
        _ => Err(failed(error)),
    })?;
    let is = |line: &str| told.lines().any(|told| told.trim_end() == line);
    let says = |name: &str| told.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'));
    if is("role:slave") {
        return Err(refused(address, "it is a replica of another one, and cannot be written to"));
    }
    if is("cluster_enabled:1") {
        return Err(refused(address, "it is part of a cluster, which is not supported"));
    }
    if says("maxmemory_policy").is_some_and(|policy| policy.starts_with("allkeys")) && !is("maxmemory:0") {
        return Err(refused(address, "it throws keys away when it is full; set its maxmemory-policy to noeviction"));
    }
    writable(&mut redis).await.map_err(failed)
}

/// A script that writes and tidies up: all that a queue needs.
async fn writable(redis: &mut MultiplexedConnection) -> Result<(), RedisError> {
    let script = "redis.call('HSET', KEYS[1], 'a', '1') return redis.call('DEL', KEYS[1])";
    let key = format!("asperathos:{{check-{}}}:head", ulid::Ulid::new());
    redis::cmd("EVAL").arg(script).arg(1).arg(key).query_async(redis).await
}

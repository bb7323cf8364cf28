//! Environment variables that every platform gives a worker, and what a user may not set.

/// Where the worker's queue is.
pub const REDIS_HOST: &str = "REDIS_HOST";
pub const REDIS_PORT: &str = "REDIS_PORT";
/// Name of the list that it takes items from.
pub const REDIS_QUEUE: &str = "REDIS_QUEUE";
/// In every process of a replica's environment.
pub const JOB_MARK: &str = "ASPERATHOS_JOB";
pub const REPLICA_MARK: &str = "ASPERATHOS_REPLICA";
/// Names that the platform sets itself; a user's value would break the worker's way to its queue.
const OURS: [&str; 3] = [REDIS_HOST, REDIS_PORT, REDIS_QUEUE];
const OUR_PREFIX: &str = "ASPERATHOS_";

/// What is wrong with a user's variable, in a sentence.
pub fn wrong_variable(name: &str, value: &str) -> Option<String> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Some(format!("{name:?} cannot be the name of a variable: it must not be empty nor have = or NUL."));
    }
    if OURS.contains(&name) || name.starts_with(OUR_PREFIX) {
        return Some(format!("{name} is set by the server; leave it out."));
    }
    value.contains('\0').then(|| format!("The value of {name} has a NUL byte, which no program can be given."))
}

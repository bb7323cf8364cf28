//! What is said to a Redis: the keys of one job, the one script that writes, and errors in words.
//!
//! Each kind of record is a hash of its own, `asperathos:{JOB}:items` and the like. The hash `head` says which life of
//! which server writes, and how many lots it has written: a lot counts only after the one before it, and only once.

use std::{collections::BTreeMap, sync::LazyLock, time::Duration};

use bytes::Bytes;
use redis::{AsyncConnectionConfig, ErrorKind, RedisError, RedisResult, Script, aio::MultiplexedConnection};

use super::{address::Address, outbox::Lot};

/// The kinds of records, and what their hashes are called.
const KINDS: [(u8, &str); 9] = [
    (b'c', "items"),
    (b's', "states"),
    (b'e', "errors"),
    (b'p', "replicas"),
    (b'R', "results"),
    (b'm', "results-list"),
    (b'k', "keys"),
    (b'l', "lists"),
    (b'x', "settings"),
];
/// Kinds that are read back one record at a time, when somebody asks.
const LARGE: [u8; 2] = [b'e', b'R'];

const CONNECT: Duration = Duration::from_secs(2);
/// Far above what the largest lot needs: a result of 64 MiB.
const ANSWER: Duration = Duration::from_secs(30);
/// Records of one piece when a queue is read back.
const PIECE: u32 = 2000;

/// Answers of the script that are no success.
const NO_RECORDS: i64 = -1;
const OTHER_LIFE: i64 = -2;
const OLDER: i64 = -3;

/// Writes a lot if it is the next one. A lot that is sent twice, because the first answer was lost, counts once, and one
/// that was stuck in a dead connection counts no more.
static WRITE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local head = redis.call('HMGET', KEYS[1], 'life', 'lot')
        if not head[1] then return -1 end
        if head[1] ~= ARGV[1] then return -2 end
        local last, this = tonumber(head[2] or '0'), tonumber(ARGV[2])
        if this <= last then return 0 end
        if this ~= last + 1 then return -3 end
        local at = 3
        if ARGV[at] == 'wipe' then
            for key = 2, #KEYS do redis.call('DEL', KEYS[key]) end
            at = at + 1
        end
        while at < #ARGV do
            local key = KEYS[tonumber(ARGV[at + 1])]
            if ARGV[at] == 'put' then
                redis.call('HSET', key, ARGV[at + 2], ARGV[at + 3])
                at = at + 4
            else
                redis.call('HDEL', key, ARGV[at + 2])
                at = at + 3
            end
        end
        redis.call('HSET', KEYS[1], 'lot', ARGV[2])
        return 1
        ",
    )
});

/// What became of a lot or a look.
pub(super) enum Sent {
    Written,
    /// It makes no sense to go on, and why.
    Lost(&'static str),
}

/// Who writes: each open queue is a life of its own, and the newest one counts.
#[derive(Clone, Copy)]
pub(super) struct Life {
    pub(super) number: u64,
    /// How many lots were written, over all lives.
    pub(super) lots: u64,
}

/// One job's records in one Redis.
pub(super) struct Link {
    pub(super) address: Address,
    job: String,
}

impl Link {
    pub(super) fn new(address: Address, job: &str) -> Self {
        Self { address, job: job.to_owned() }
    }

    fn key(&self, name: &str) -> String {
        // Braces keep the keys of a job together where a proxy spreads them.
        format!("asperathos:{{{}}}:{name}", self.job)
    }

    /// What people search for to find all keys of the job.
    pub(super) fn pattern(&self) -> String {
        self.key("*")
    }

    pub(super) async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        connect(&self.address).await
    }

    /// Whether a queue was made here.
    pub(super) async fn stored(&self, redis: &mut MultiplexedConnection) -> RedisResult<bool> {
        redis::cmd("HEXISTS").arg(self.key("settings")).arg("").query_async(redis).await
    }

    /// Takes over: lots of a former life do not count from now on.
    pub(super) async fn begin(&self, redis: &mut MultiplexedConnection) -> RedisResult<Life> {
        let head = self.key("head");
        let number = redis::cmd("HINCRBY").arg(&head).arg("life").arg(1).query_async(redis).await?;
        let lots: Option<u64> = redis::cmd("HGET").arg(&head).arg("lot").query_async(redis).await?;
        Ok(Life { number, lots: lots.unwrap_or(0) })
    }

    /// Whether it keeps its writes in an append-only file; `None` where it does not tell.
    pub(super) async fn appends(&self, redis: &mut MultiplexedConnection) -> Option<bool> {
        let told: String = redis::cmd("INFO").arg("persistence").query_async(redis).await.ok()?;
        told.lines().find_map(|line| line.trim_end().strip_prefix("aof_enabled:")).map(|enabled| enabled == "1")
    }

    /// Everything that a queue is rebuilt from, by record key.
    pub(super) async fn fetch(&self, redis: &mut MultiplexedConnection) -> RedisResult<BTreeMap<Vec<u8>, Bytes>> {
        let mut records = BTreeMap::new();
        for (kind, name) in KINDS.iter().filter(|(kind, _)| !LARGE.contains(kind)) {
            let key = self.key(name);
            let mut cursor = 0_u64;
            loop {
                let mut scan = redis::cmd("HSCAN");
                scan.arg(&key).arg(cursor).arg("COUNT").arg(PIECE);
                let (next, piece): (u64, Vec<(Vec<u8>, Bytes)>) = scan.query_async(redis).await?;
                records.extend(piece.into_iter().map(|(field, value)| ([&[*kind], field.as_slice()].concat(), value)));
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
        }
        Ok(records)
    }

    /// One record, by its key.
    pub(super) async fn get(&self, redis: &mut MultiplexedConnection, key: &[u8]) -> RedisResult<Option<Bytes>> {
        let Some((kind, field)) = key.split_first() else { return Ok(None) };
        let Some(place) = place(*kind) else { return Ok(None) };
        redis::cmd("HGET").arg(self.key(KINDS[place].1)).arg(field).query_async(redis).await
    }

    /// Writes a lot as the one after `life.lots`.
    pub(super) async fn write(&self, redis: &mut MultiplexedConnection, life: Life, lot: &Lot) -> RedisResult<Sent> {
        let mut call = WRITE.prepare_invoke();
        call.key(self.key("head"));
        for (_, name) in KINDS {
            call.key(self.key(name));
        }
        call.arg(life.number).arg(life.lots + 1);
        if lot.wipe {
            call.arg("wipe");
        }
        for (key, value) in &lot.records {
            let Some((kind, field)) = key.split_first() else { continue };
            let Some(place) = place(*kind) else { continue };
            // Lua counts from 1, and the first key is the head.
            call.arg(if value.is_some() { "put" } else { "remove" }).arg(place + 2).arg(field);
            if let Some(value) = value {
                call.arg(&value[..]);
            }
        }
        call.invoke_async(redis).await.map(sent)
    }

    /// Whether it still is as this life left it.
    pub(super) async fn look(&self, redis: &mut MultiplexedConnection, life: Life) -> RedisResult<Sent> {
        let found: (Option<u64>, Option<u64>) = redis::cmd("HMGET").arg(self.key("head")).arg("life").arg("lot").query_async(redis).await?;
        Ok(sent(match found {
            (None, _) => NO_RECORDS,
            (Some(number), _) if number != life.number => OTHER_LIFE,
            (_, lots) if lots.unwrap_or(0) < life.lots => OLDER,
            _ => 1,
        }))
    }

    /// Removes all that there is of the job.
    pub(super) async fn delete(&self, redis: &mut MultiplexedConnection) -> RedisResult<()> {
        let mut delete = redis::cmd("DEL");
        delete.arg(self.key("head"));
        for (_, name) in KINDS {
            delete.arg(self.key(name));
        }
        delete.query_async(redis).await
    }
}

fn sent(answer: i64) -> Sent {
    match answer {
        NO_RECORDS => Sent::Lost("it holds nothing of this job any more: it was emptied, or came back without its data"),
        OTHER_LIFE => Sent::Lost("another server has taken this job over"),
        OLDER => Sent::Lost(
            "it came back without the newest of what it had confirmed; an append-only file (appendonly yes, appendfsync always) keeps it",
        ),
        _ => Sent::Written,
    }
}

fn place(kind: u8) -> Option<usize> {
    KINDS.iter().position(|(one, _)| *one == kind)
}

pub(super) async fn connect(address: &Address) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(ANSWER));
    redis::Client::open(address.info()?)?.get_multiplexed_async_connection_with_config(&config).await
}

/// Why a Redis is of no use now, in words for people.
pub(super) fn words(error: &RedisError) -> String {
    if error.is_connection_refusal() {
        return "nothing listens there".to_owned();
    }
    if error.is_timeout() {
        return "it does not answer".to_owned();
    }
    match (error.kind(), error.code()) {
        (_, Some("NOAUTH")) => "it asks for a password".to_owned(),
        (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS")) => "it refuses the name or password".to_owned(),
        _ => {
            // Its own words may be long, and of several lines.
            let text: String = error.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
            format!("it says: {}", text.trim())
        }
    }
}

//! Commands about the connection itself, and transactions.

use bytes::Bytes;

use super::{Call, Command, Fault, MANY, Outcome, Run, command, dispatch, int, reply};
use crate::queue::wire::Reply;

/// Commands and bytes that one transaction may hold.
const LONGEST_TRANSACTION: usize = 100_000;
const LARGEST_TRANSACTION: usize = 64 << 20;
/// Told to clients that ask; what this server speaks is what Redis 7 did.
const VERSION: &str = "7.2.0";

/// What a connection remembers between commands.
pub(in crate::queue) struct Session {
    pub(in crate::queue) id: u64,
    /// Number of the replica that called.
    pub(in crate::queue) replica: u32,
    pub(in crate::queue) resp3: bool,
    name: Bytes,
    transaction: Option<Vec<Vec<Bytes>>>,
    transaction_bytes: usize,
    spoiled: bool,
    watched: Vec<(Bytes, u64)>,
}

impl Session {
    pub(in crate::queue) fn new(id: u64, replica: u32) -> Self {
        Self { id, replica, resp3: false, name: Bytes::new(), transaction: None, transaction_bytes: 0, spoiled: false, watched: Vec::new() }
    }

    /// Whether a command is to be queued for EXEC.
    pub(super) fn queues(&self, name: &str) -> bool {
        self.transaction.is_some() && !matches!(name, "EXEC" | "DISCARD" | "MULTI" | "WATCH" | "QUIT" | "RESET")
    }

    pub(super) fn queue(&mut self, arguments: Vec<Bytes>) -> Outcome {
        self.transaction_bytes += arguments.iter().map(Bytes::len).sum::<usize>();
        let Some(transaction) = &mut self.transaction else { return Outcome::Reply(Reply::Null) };
        if transaction.len() == LONGEST_TRANSACTION || LARGEST_TRANSACTION < self.transaction_bytes {
            self.spoiled = true;
            return Outcome::Reply(Reply::Error("ERR the transaction is too large".to_owned()));
        }
        transaction.push(arguments);
        Outcome::Reply(Reply::Simple("QUEUED"))
    }

    /// A command that could not be queued makes EXEC fail.
    pub(super) fn spoil(&mut self) {
        self.spoiled |= self.transaction.is_some();
    }

    fn end_transaction(&mut self) -> Option<Vec<Vec<Bytes>>> {
        self.spoiled = false;
        self.transaction_bytes = 0;
        self.watched.clear();
        self.transaction.take()
    }
}

pub(super) fn find(name: &str) -> Option<Command> {
    match name {
        "PING" => command(|_, a| reply(a.first().map_or(Reply::Simple("PONG"), |text| Reply::Bulk(text.clone()))), 0, 1),
        "ECHO" => command(|_, a| reply(Reply::Bulk(a[0].clone())), 1, 1),
        "QUIT" => command(|_, _| Ok(Outcome::Close), 0, 0),
        "SELECT" => command(select, 1, 1),
        // Each replica has an address of its own; there is nothing that a password could add.
        "AUTH" => command(|_, _| reply(Reply::Ok), 1, 2),
        "HELLO" => command(hello, 0, MANY),
        "CLIENT" => command(client, 1, MANY),
        "INFO" => command(info, 0, MANY),
        "TIME" => command(time, 0, 0),
        "COMMAND" => command(about_commands, 0, MANY),
        "CONFIG" => command(config, 1, MANY),
        "RESET" => command(reset, 0, 0),
        "MULTI" => command(multi, 0, 0),
        "EXEC" => command(exec, 0, 0),
        "DISCARD" => command(discard, 0, 0),
        "WATCH" => command(watch, 1, MANY),
        "UNWATCH" => command(unwatch, 0, 0),
        _ => None,
    }
}

fn select(_: &mut Call<'_>, a: &[Bytes]) -> Run {
    if int(&a[0])? == 0 { reply(Reply::Ok) } else { Err(Fault::Refused("DB index is out of range: there is only 0".to_owned())) }
}

fn hello(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    if let Some(version) = a.first() {
        call.session.resp3 = match version.as_ref() {
            b"2" => false,
            b"3" => true,
            _ => return Err(Fault::Coded("NOPROTO unsupported protocol version".to_owned())),
        };
    }
    let mut options = a.iter().skip(1);
    while let Some(option) = options.next() {
        match option.to_ascii_uppercase().as_slice() {
            b"AUTH" => {
                options.nth(1).ok_or(Fault::Syntax)?;
            }
            b"SETNAME" => call.session.name = options.next().ok_or(Fault::Syntax)?.clone(),
            _ => return Err(Fault::Syntax),
        }
    }
    reply(Reply::Map(vec![
        ("server", Reply::text("redis")),
        ("version", Reply::text(VERSION)),
        ("proto", Reply::Int(if call.session.resp3 { 3 } else { 2 })),
        ("id", Reply::Int(i64::try_from(call.session.id).unwrap_or(i64::MAX))),
        ("mode", Reply::text("standalone")),
        ("role", Reply::text("master")),
        ("modules", Reply::Array(Vec::new())),
    ]))
}

fn client(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    match (a[0].to_ascii_uppercase().as_slice(), &a[1..]) {
        (b"SETNAME", [name]) => {
            call.session.name = Bytes::copy_from_slice(name);
            reply(Reply::Ok)
        }
        (b"GETNAME", []) => reply(if call.session.name.is_empty() { Reply::Null } else { Reply::Bulk(call.session.name.clone()) }),
        (b"SETINFO", [_, _]) | (b"NO-EVICT" | b"NO-TOUCH", [_]) => reply(Reply::Ok),
        (b"ID", []) => reply(Reply::Int(i64::try_from(call.session.id).unwrap_or(i64::MAX))),
        (b"LIST" | b"INFO", _) => {
            let name = String::from_utf8_lossy(&call.session.name);
            reply(Reply::text(format!("id={} name={name} db=0 resp={}\n", call.session.id, if call.session.resp3 { 3 } else { 2 })))
        }
        (other, _) => {
            Err(Fault::Refused(format!("unknown subcommand or wrong number of arguments for 'CLIENT {}'", String::from_utf8_lossy(other))))
        }
    }
}

fn info(call: &mut Call<'_>, _: &[Bytes]) -> Run {
    let keys = call.key_names().len();
    reply(Reply::text(format!(
        "# Server\r\nredis_version:{VERSION}\r\nredis_mode:standalone\r\nserver_name:asperathos\r\n\r\n\
         # Persistence\r\nloading:0\r\naof_enabled:1\r\n\r\n# Replication\r\nrole:master\r\nconnected_slaves:0\r\n\r\n\
         # Keyspace\r\ndb0:keys={keys},expires=0,avg_ttl=0\r\n"
    )))
}

fn time(call: &mut Call<'_>, _: &[Bytes]) -> Run {
    reply(Reply::Array(vec![Reply::text((call.now / 1000).to_string()), Reply::text((call.now % 1000 * 1000).to_string())]))
}

fn about_commands(_: &mut Call<'_>, a: &[Bytes]) -> Run {
    reply(match a.first().map(|sub| sub.to_ascii_uppercase()).as_deref() {
        Some(b"COUNT") => Reply::Int(0),
        Some(b"DOCS") => Reply::Map(Vec::new()),
        _ => Reply::Array(Vec::new()),
    })
}

fn config(_: &mut Call<'_>, a: &[Bytes]) -> Run {
    if a[0].eq_ignore_ascii_case(b"GET") {
        return reply(Reply::Map(Vec::new()));
    }
    Err(Fault::Refused("only CONFIG GET is known, and it finds nothing".to_owned()))
}

fn reset(call: &mut Call<'_>, _: &[Bytes]) -> Run {
    *call.session = Session::new(call.session.id, call.session.replica);
    reply(Reply::Simple("RESET"))
}

fn multi(call: &mut Call<'_>, _: &[Bytes]) -> Run {
    if call.session.transaction.is_some() {
        return Err(Fault::Refused("MULTI calls can not be nested".to_owned()));
    }
    call.session.transaction = Some(Vec::new());
    reply(Reply::Ok)
}

fn exec(call: &mut Call<'_>, _: &[Bytes]) -> Run {
    let watched = std::mem::take(&mut call.session.watched);
    let spoiled = call.session.spoiled;
    let Some(commands) = call.session.end_transaction() else {
        return Err(Fault::Refused("EXEC without MULTI".to_owned()));
    };
    if spoiled {
        return Err(Fault::Coded("EXECABORT Transaction discarded because of previous errors.".to_owned()));
    }
    if watched.iter().any(|(key, version)| call.version(key) != *version) {
        return reply(Reply::NullArray);
    }
    let mut replies = Vec::with_capacity(commands.len());
    let mut inner = Call { state: call.state, session: call.session, now: call.now, may_wait: false };
    for arguments in commands {
        replies.push(match dispatch(&mut inner, arguments) {
            Outcome::Reply(reply) => reply,
            Outcome::Wait { nil, .. } => nil,
            Outcome::Close => Reply::Ok,
        });
    }
    reply(Reply::Array(replies))
}

fn discard(call: &mut Call<'_>, _: &[Bytes]) -> Run {
    match call.session.end_transaction() {
        Some(_) => reply(Reply::Ok),
        None => Err(Fault::Refused("DISCARD without MULTI".to_owned())),
    }
}

fn watch(call: &mut Call<'_>, a: &[Bytes]) -> Run {
    if call.session.transaction.is_some() {
        return Err(Fault::Refused("WATCH inside MULTI is not allowed".to_owned()));
    }
    for key in a {
        let version = call.version(key);
        call.session.watched.push((Bytes::copy_from_slice(key), version));
    }
    reply(Reply::Ok)
}

fn unwatch(call: &mut Call<'_>, _: &[Bytes]) -> Run {
    call.session.watched.clear();
    reply(Reply::Ok)
}

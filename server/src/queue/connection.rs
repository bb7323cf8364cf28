//! Connections of replicas: read what came, run it as one batch, commit, reply; wait for items without holding the lock.

use std::{io, net::IpAddr, sync::Arc, sync::atomic::Ordering, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    Queue,
    callers::{Addresses, Callers, Line, Lines},
    commands::{Call, Outcome, Session, dispatch},
    error::QueueError,
    items::now_ms,
    state::State,
    wire::{self, Reply, WireError},
};

/// Replies are sent at the latest when they are this large, which bounds a connection's memory.
const REPLY_BYTES: usize = 1 << 20;
/// Commands of one batch, which bounds how long one connection has the lock.
const BATCH: usize = 1024;
/// Room for one read: without it, reads would be of 64 bytes.
const READ_BYTES: usize = 16 << 10;
/// Bytes read ahead while a command waits.
const READ_AHEAD: usize = 64 << 10;

impl Queue {
    /// Speaks the Redis protocol with the replicas that call this listener, until `stop` is cancelled.
    pub async fn serve(self: &Arc<Self>, callers: Callers, listener: TcpListener, stop: CancellationToken) {
        if let Callers::Only(replica) = &callers {
            // Known before it says a word: it is told apart from one that never came.
            self.number(replica);
        }
        let lines = Lines::default();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((socket, from)) => {
                        let known = if let Callers::Only(replica) = &callers { Some(replica.as_str()) } else { None };
                        let Some(line) = lines.take(known) else {
                            tracing::warn!("{} has too many connections; one more was refused", known.unwrap_or("a stranger"));
                            continue;
                        };
                        let (queue, callers, lines) = (self.clone(), callers.clone(), lines.clone());
                        connections.spawn(async move {
                            match callers {
                                Callers::Only(replica) => queue.converse(&replica, socket, line).await,
                                Callers::From(addresses) => queue.welcome(&*addresses, socket, from.ip(), (line, lines)).await,
                            }
                        });
                    }
                    Err(error) => {
                        // Out of files, most likely: a pause lets others close theirs.
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
        connections.shutdown().await;
    }

    /// Finds out who calls; strangers are told so and sent away.
    async fn welcome(self: &Arc<Self>, addresses: &dyn Addresses, mut socket: TcpStream, from: IpAddr, (waits, lines): (Line, Lines)) {
        let Some(caller) = addresses.caller(from).await else {
            tracing::warn!("a connection from {from} was refused: it is no replica of this job");
            let mut refusal = BytesMut::new();
            Reply::Error("NOPERM this address is no replica of this job".to_owned()).encode(&mut refusal, false);
            // Who has gone meanwhile need not hear it.
            let _ = socket.write_all(&refusal).await;
            return;
        };
        drop(waits);
        let Some(line) = lines.take(Some(&caller.replica)) else {
            return tracing::warn!("{} has too many connections; one more was refused", caller.replica);
        };
        tokio::select! {
            () = caller.until.cancelled() => {}
            () = self.converse(&caller.replica, socket, line) => {}
        }
    }

    async fn converse(self: &Arc<Self>, replica: &str, socket: TcpStream, _line: Line) {
        let session = Session::new(self.sessions.fetch_add(1, Ordering::Relaxed), self.number(replica));
        let (input, output) = (BytesMut::new(), BytesMut::new());
        let mut connection = Connection { queue: self.clone(), socket, session, input, output, unwritten: None };
        if let Err(error) = connection.run().await {
            tracing::debug!(replica, %error, "a connection of {replica} ended");
        }
    }

    fn number(&self, replica: &str) -> u32 {
        let mut state = self.lock();
        let State { table, changes, .. } = &mut *state;
        table.replicas.number(replica, changes)
    }
}

struct Connection {
    queue: Arc<Queue>,
    socket: TcpStream,
    session: Session,
    input: BytesMut,
    output: BytesMut,
    /// What must be in the queue's Redis before `output` may be sent.
    unwritten: Option<u64>,
}

/// What is to be done after a batch.
enum Next {
    /// More commands are there, or must be read.
    Go,
    Wait(Waiting),
    Close,
}

/// A command that waits.
struct Waiting {
    command: Vec<Bytes>,
    until: Option<Instant>,
    nil: Reply,
    for_items: bool,
}

/// Counts who waits for items, whatever ends the wait.
struct Waiter<'a>(&'a Queue);

impl<'a> Waiter<'a> {
    fn new(queue: &'a Queue) -> Self {
        queue.waiters.fetch_add(1, Ordering::SeqCst);
        Self(queue)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.waiters.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Connection {
    async fn run(&mut self) -> io::Result<()> {
        self.socket.set_nodelay(true)?;
        loop {
            let (commands, fault) = self.received();
            if commands.is_empty() {
                if let Some(fault) = fault {
                    Reply::Error(format!("ERR {fault}")).encode(&mut self.output, false);
                    return self.flush().await;
                }
                self.input.reserve(READ_BYTES);
                if self.socket.read_buf(&mut self.input).await? == 0 {
                    return Ok(());
                }
                continue;
            }
            let mut rest = commands.into_iter();
            loop {
                self.present().await?;
                let next = self.batch(&mut rest);
                self.flush().await?;
                match next {
                    Next::Go if rest.len() == 0 => break,
                    Next::Go => {}
                    Next::Close => return Ok(()),
                    Next::Wait(waiting) => self.wait(waiting).await?,
                }
            }
        }
    }

    /// Decodes the whole commands that have been read; a protocol fault counts once they are done.
    fn received(&mut self) -> (Vec<Vec<Bytes>>, Option<WireError>) {
        let mut ends = Vec::new();
        let (mut at, mut fault) = (0, None);
        while at < self.input.len() && ends.len() < BATCH {
            match wire::measure(&self.input[at..]) {
                Ok(Some(length)) => {
                    at += length;
                    ends.push(at);
                }
                Ok(None) => break,
                Err(error) => {
                    fault = Some(error);
                    break;
                }
            }
        }
        let bytes = self.input.split_to(at).freeze();
        let mut commands = Vec::with_capacity(ends.len());
        let mut start = 0;
        for end in ends {
            match wire::decode(&bytes.slice(start..end)) {
                Ok(command) if command.is_empty() => {}
                Ok(command) => commands.push(command),
                Err(error) => return (commands, Some(error)),
            }
            start = end;
        }
        (commands, fault)
    }

    /// Runs commands under one lock and commits what they changed, before any reply is sent.
    fn batch(&mut self, commands: &mut std::vec::IntoIter<Vec<Bytes>>) -> Next {
        let queue = self.queue.clone();
        let mut state = queue.lock();
        let waiting_before = state.table.waiting.len();
        let now = now_ms();
        state.sweep(now);
        let replies_from = self.output.len();
        let mut next = Next::Go;
        while self.output.len() < REPLY_BYTES {
            let Some(command) = commands.next() else { break };
            // Only commands that can wait are needed again.
            let again = can_wait(&command).then(|| command.clone());
            let mut call = Call { state: &mut state, session: &mut self.session, now, may_wait: true };
            match dispatch(&mut call, command) {
                Outcome::Reply(reply) => reply.encode(&mut self.output, self.session.resp3),
                Outcome::Close => {
                    Reply::Ok.encode(&mut self.output, self.session.resp3);
                    next = Next::Close;
                    break;
                }
                Outcome::Wait { seconds, nil, for_items } => {
                    let until = (0.0 < seconds).then(|| Instant::now() + Duration::from_secs_f64(seconds));
                    next = Next::Wait(Waiting { command: again.unwrap_or_default(), until, nil, for_items });
                    break;
                }
            }
        }
        let list_pushed = std::mem::take(&mut state.list_pushed);
        let committed = state.commit();
        self.unwritten = state.journal.ticket();
        let arrived = state.table.waiting.len().saturating_sub(waiting_before);
        drop(state);
        match committed {
            Ok(settled) => queue.announce(settled, arrived),
            Err(error) => {
                tracing::error!(%error, "the queue could not be written; its workers get errors from now on");
                // Nothing of this batch is acknowledged.
                self.output.truncate(replies_from);
                Reply::Error(format!("MISCONF {error}")).encode(&mut self.output, self.session.resp3);
                return Next::Close;
            }
        }
        if list_pushed {
            queue.list_waits.notify_waiters();
        }
        next
    }

    /// A Redis that is away holds commands up before they are run: what memory did alone would be in doubt for long.
    /// Nothing is run for a client that has gone meanwhile.
    async fn present(&mut self) -> io::Result<()> {
        if self.queue.trouble().is_none() {
            return Ok(());
        }
        let queue = self.queue.clone();
        let present = tokio::select! {
            present = queue.present() => present,
            gone = closed(&mut self.socket, &mut self.input) => return gone,
        };
        match present {
            Ok(()) => Ok(()),
            Err(error) => self.give_up(&error).await,
        }
    }

    async fn give_up(&mut self, error: &QueueError) -> io::Result<()> {
        self.output.clear();
        Reply::Error(format!("MISCONF {error}")).encode(&mut self.output, self.session.resp3);
        self.socket.write_all(&self.output).await?;
        Err(io::Error::other(error.to_string()))
    }

    async fn flush(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.queue.written_to(self.unwritten.take()).await {
            return self.give_up(&error).await;
        }
        self.socket.write_all(&self.output).await?;
        self.output.clear();
        if READ_AHEAD < self.output.capacity() {
            self.output = BytesMut::new();
        }
        Ok(())
    }

    /// Tries a command again whenever something arrives, until its time is over or the client has gone.
    async fn wait(&mut self, mut waiting: Waiting) -> io::Result<()> {
        let queue = self.queue.clone();
        let _waiter = Waiter::new(&queue);
        loop {
            self.present().await?;
            let list = queue.list_waits.notified();
            let item = queue.item_waits.notified();
            tokio::pin!(list, item);
            // From here on no arrival is missed, though the check comes first.
            list.as_mut().enable();
            // An arriving item wakes one waiter, which must be one that may take it.
            let may_take = waiting.for_items && !self.starved();
            if may_take {
                item.as_mut().enable();
            }
            match self.batch(&mut vec![waiting.command.clone()].into_iter()) {
                Next::Wait(again) => waiting = Waiting { until: waiting.until, ..again },
                _ => return self.flush().await,
            }
            let over = async {
                match waiting.until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = item, if may_take => {}
                () = list => {}
                () = over => {
                    waiting.nil.encode(&mut self.output, self.session.resp3);
                    return self.flush().await;
                }
                gone = closed(&mut self.socket, &mut self.input) => return gone,
            }
        }
    }

    fn starved(&self) -> bool {
        self.queue.lock().table.replicas.get(self.session.replica).starved
    }
}

/// Ends when the client has gone; what it sends meanwhile is kept for later.
async fn closed(socket: &mut TcpStream, input: &mut BytesMut) -> io::Result<()> {
    while input.len() < READ_AHEAD {
        input.reserve(READ_BYTES);
        if socket.read_buf(input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    std::future::pending().await
}

fn can_wait(command: &[Bytes]) -> bool {
    command.first().is_some_and(|name| matches!(name.first(), Some(b'B' | b'b' | b'A' | b'a')))
}

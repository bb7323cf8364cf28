//! Connections of one replica: read what came, run it as one batch, commit, reply; wait for items without holding the lock.

use std::{io, sync::Arc, sync::atomic::Ordering, time::Duration};

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
    commands::{Call, Outcome, Session, dispatch},
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
/// Connections of one replica; more are refused.
const CONNECTIONS: usize = 1024;

impl Queue {
    /// Speaks the Redis protocol with one replica, until `stop` is cancelled: who calls this listener is that replica.
    pub async fn serve(self: &Arc<Self>, replica: String, listener: TcpListener, stop: CancellationToken) {
        let number = {
            let mut state = self.lock();
            let State { table, changes, .. } = &mut *state;
            table.replicas.number(&replica, changes)
        };
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => match accepted {
                    Ok((socket, _)) if connections.len() < CONNECTIONS => {
                        let session = Session::new(self.sessions.fetch_add(1, Ordering::Relaxed), number);
                        let mut connection = Connection {
                            queue: self.clone(), socket, session, input: BytesMut::new(), output: BytesMut::new(),
                        };
                        let replica = replica.clone();
                        connections.spawn(async move {
                            if let Err(error) = connection.run().await {
                                tracing::debug!(replica, %error, "a connection of {replica} ended");
                            }
                        });
                    }
                    Ok(_) => tracing::warn!(replica, "{replica} has {CONNECTIONS} connections; one more was refused"),
                    Err(error) => {
                        // Out of files, most likely: a pause lets others close theirs.
                        tracing::warn!(replica, %error, "a connection of {replica} could not be accepted");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
        connections.shutdown().await;
    }
}

struct Connection {
    queue: Arc<Queue>,
    socket: TcpStream,
    session: Session,
    input: BytesMut,
    output: BytesMut,
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

    async fn flush(&mut self) -> io::Result<()> {
        if self.output.is_empty() {
            return Ok(());
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

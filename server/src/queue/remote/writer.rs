//! The task that writes: one lot after the other, each until it is there, and a look now and then when there is nothing to write.

use std::{pin::pin, sync::Arc, time::Duration};

use redis::{RedisResult, aio::MultiplexedConnection};
use tokio_util::sync::CancellationToken;

use super::{
    Progress, Remote, Trouble,
    link::{Life, Sent, words},
    outbox::Lot,
};

/// With nothing to write, a Redis that goes away is noticed by a look this often.
const LOOK: Duration = Duration::from_secs(1);
/// An answer that takes longer means that it is away, though it may still come.
const SLOW: Duration = Duration::from_secs(1);
/// Pauses between two attempts to connect: doubled from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn run(remote: Arc<Remote>, redis: MultiplexedConnection, life: Life, stop: CancellationToken) {
    let mut writer = Writer { remote, redis: Some(redis), life };
    tokio::select! {
        () = stop.cancelled() => {}
        () = writer.write() => {}
    }
}

struct Writer {
    remote: Arc<Remote>,
    redis: Option<MultiplexedConnection>,
    life: Life,
}

impl Writer {
    /// Ends only when there is no sense in going on.
    async fn write(&mut self) {
        let remote = self.remote.clone();
        loop {
            let lot = remote.outbox().next();
            let Some(lot) = lot else {
                // A commit meanwhile has left its notice.
                let idle = tokio::time::timeout(LOOK, remote.work.notified()).await.is_err();
                if idle && !self.insist(None).await {
                    return;
                }
                continue;
            };
            if !self.insist(Some(&lot)).await {
                return;
            }
            self.life.lots += 1;
            remote.outbox().landed();
            remote.progress.send_modify(|progress| progress.written = lot.ticket);
        }
    }

    /// Tries until it succeeds. False when it never will.
    async fn insist(&mut self, lot: Option<&Lot>) -> bool {
        let remote = self.remote.clone();
        let mut pause = FIRST_PAUSE;
        loop {
            let answer = {
                let mut attempt = pin!(self.attempt(lot));
                loop {
                    tokio::select! {
                        answer = &mut attempt => break answer,
                        () = tokio::time::sleep(SLOW) => remote.set_away("it does not answer"),
                    }
                }
            };
            match answer {
                Ok(Sent::Written) => {
                    remote.set_back();
                    return true;
                }
                Ok(Sent::Lost(why)) => {
                    tracing::error!("the queue at {} cannot go on: {why}", remote.link.address);
                    remote.progress.send_modify(|progress| progress.trouble = Some(Trouble::Lost(why.to_owned())));
                    return false;
                }
                Err(error) => {
                    self.redis = None;
                    remote.set_away(&words(&error));
                }
            }
            tokio::time::sleep(pause).await;
            pause = LAST_PAUSE.min(pause * 2);
        }
    }

    async fn attempt(&mut self, lot: Option<&Lot>) -> RedisResult<Sent> {
        let link = &self.remote.link;
        let redis = match &mut self.redis {
            Some(redis) => redis,
            none => none.insert(link.connect().await?),
        };
        match lot {
            Some(lot) => link.write(redis, self.life, lot).await,
            None => link.look(redis, self.life).await,
        }
    }
}

impl Remote {
    fn set_away(&self, why: &str) {
        self.progress.send_if_modified(|progress| {
            let news = progress.trouble.is_none();
            if news {
                tracing::warn!("the Redis at {} is away: {why}; its workers wait, and it is tried again", self.link.address);
                progress.trouble = Some(Trouble::Away(why.to_owned()));
            }
            news
        });
    }

    fn set_back(&self) {
        self.progress.send_if_modified(|progress: &mut Progress| {
            let news = progress.trouble.take().is_some();
            if news {
                tracing::info!("the Redis at {} is back", self.link.address);
            }
            news
        });
    }
}

//! The one port of a job at which its pods reach the queue. The address that a call comes from says which pod it is.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    lock::lock,
    platform::local::address,
    queue::{Addresses, Caller, Callers, Queue},
};

/// A pod may call before the watch has told its address.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);

/// The port of a job, open until this is dropped.
pub struct JobDoor {
    pub address: SocketAddr,
    queue: Arc<Queue>,
    pods: Arc<Pods>,
    _open: DropGuard,
}

struct Pods {
    /// How long a caller is waited for.
    patience: Duration,
    known: Mutex<Known>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Known {
    /// Replicas by the addresses of their pods.
    at: HashMap<IpAddr, String>,
    /// Replicas that may call.
    open: HashMap<String, CancellationToken>,
}

impl JobDoor {
    /// Listens at `address`; a job that was served before has the port of before, which its Service leads to.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub async fn open(address: IpAddr, stored: Option<SocketAddr>, queue: Arc<Queue>) -> io::Result<Self> {
        let (listener, address) = match stored {
            // A new port does as well: the EndpointSlice is written anew.
            Some(stored) => match address::listen(Some(SocketAddr::new(address, stored.port()))).await {
                Ok(found) => found,
                Err(_) => bind(address).await?,
            },
            None => bind(address).await?,
        };
        let (pods, stop) = (Arc::new(Pods::new(KNOWN_WITHIN)), CancellationToken::new());
        let served = Arc::clone(&queue);
        let (callers, until) = (Callers::From(Arc::clone(&pods) as Arc<dyn Addresses>), stop.clone());
        tokio::spawn(async move { served.serve(callers, listener, until).await });
        Ok(Self { address, queue, pods, _open: stop.drop_guard() })
    }

    /// From now on a replica may call, until the answer is dropped.
    pub fn admit(&self, replica: &str) -> DropGuard {
        let token = CancellationToken::new();
        lock(&self.pods.known).open.insert(replica.to_owned(), token.clone());
        self.pods.changed.send_replace(());
        token.drop_guard()
    }

    /// A replica whose pod is on its way out sees the job as over, if it holds nothing: a worker that does not heed TERM
    /// would ask on until it is killed.
    pub fn dismiss(&self, replica: &str) {
        self.queue.dismiss(replica);
    }

    /// Which replica has which address now.
    pub fn know(&self, at: HashMap<IpAddr, String>) {
        let mut known = lock(&self.pods.known);
        known.open.retain(|_, token| !token.is_cancelled());
        if known.at != at {
            known.at = at;
            drop(known);
            self.pods.changed.send_replace(());
        }
    }
}

async fn bind(address: IpAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((address, 0)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

impl Pods {
    fn new(patience: Duration) -> Self {
        Self { patience, known: Mutex::default(), changed: watch::Sender::default() }
    }

    fn caller(&self, address: IpAddr) -> Option<Caller> {
        let known = lock(&self.known);
        let replica = known.at.get(&address)?;
        let until = known.open.get(replica).filter(|token| !token.is_cancelled())?;
        Some(Caller { replica: replica.clone(), until: until.clone() })
    }
}

#[async_trait]
impl Addresses for Pods {
    async fn caller(&self, address: IpAddr) -> Option<Caller> {
        let mut changed = self.changed.subscribe();
        let known = async {
            loop {
                if let Some(caller) = Self::caller(self, address) {
                    return Some(caller);
                }
                changed.changed().await.ok()?;
            }
        };
        tokio::time::timeout(self.patience, known).await.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pod_is_waited_for_and_a_stranger_is_not_for_ever() {
        let pods = Arc::new(Pods::new(Duration::from_millis(500)));
        let address: IpAddr = "10.88.0.7".parse().unwrap();
        let waiting = tokio::spawn({
            let pods = Arc::clone(&pods);
            async move { Addresses::caller(&*pods, address).await.map(|caller| caller.replica) }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        lock(&pods.known).at.insert(address, "r1".to_owned());
        pods.changed.send_replace(());
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Its address is known, and it may not call yet.
        assert!(!waiting.is_finished());
        let token = CancellationToken::new();
        lock(&pods.known).open.insert("r1".to_owned(), token.clone());
        pods.changed.send_replace(());
        assert_eq!(waiting.await.unwrap().as_deref(), Some("r1"));

        assert!(Addresses::caller(&*pods, "10.88.0.8".parse().unwrap()).await.is_none());
        token.cancel();
        assert!(Addresses::caller(&*pods, address).await.is_none());
    }
}

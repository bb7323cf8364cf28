//! Who calls a listener of a queue, and how many connections each caller may have.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::lock::lock;

/// Connections of one replica, and of all callers that are not known yet; more are refused.
const CONNECTIONS: usize = 1024;

/// Who calls a listener.
#[derive(Clone)]
pub enum Callers {
    /// One replica, which has the listener to itself.
    Only(String),
    /// Many replicas, each from an address of its own.
    From(Arc<dyn Addresses>),
}

/// Knows replicas by the addresses that they call from.
#[async_trait]
pub trait Addresses: Send + Sync {
    /// The replica at an address; `None` when it is nobody's. It may wait a little for a new one to become known.
    async fn caller(&self, address: IpAddr) -> Option<Caller>;
}

/// A replica that may use the queue.
pub struct Caller {
    pub replica: String,
    /// Its connections end when this is cancelled.
    pub until: CancellationToken,
}

/// The connections of one listener, counted by caller; those that are not known yet count as of nobody.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<HashMap<Option<String>, usize>>>);

/// One counted connection.
pub(super) struct Line {
    of: Option<String>,
    lines: Lines,
}

impl Lines {
    /// Counts one more, unless its caller has too many already.
    pub(super) fn take(&self, of: Option<&str>) -> Option<Line> {
        let of = of.map(str::to_owned);
        let mut counts = lock(&self.0);
        let count = counts.entry(of.clone()).or_default();
        if *count == CONNECTIONS {
            return None;
        }
        *count += 1;
        Some(Line { of, lines: self.clone() })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let mut counts = lock(&self.lines.0);
        if let Some(count) = counts.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CONNECTIONS, Lines};

    #[test]
    fn one_caller_with_too_many_connections_is_in_nobody_elses_way() {
        let lines = Lines::default();
        let mut held: Vec<_> = (0..CONNECTIONS).map(|_| lines.take(Some("r1")).unwrap()).collect();
        assert!(lines.take(Some("r1")).is_none());
        assert!(lines.take(Some("r2")).is_some() && lines.take(None).is_some());
        held.pop();
        assert!(lines.take(Some("r1")).is_some());
    }
}

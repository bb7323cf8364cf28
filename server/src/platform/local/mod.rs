//! The `local` platform: replicas are processes of this machine, in groups of their own, and outlive the server.

pub mod address;
mod end;
pub mod params;
mod spawn;
mod table;
#[cfg(test)]
mod tests;
mod tree;

use std::{
    io,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use control::plugin::{Plugin, parse};
use rustix::process::Signal;
use serde_json::Value;
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use self::{
    params::LocalParams,
    table::Shared,
    tree::{Id, Member, Owner},
};
use super::{Door, Exit, Handle, Launch, LogChunk, LogStream, Place, Platform, PlatformError, Usage, logs};
use crate::queue::{Callers, Queue};

/// Processes of this machine. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Local(Arc<Shared>);

impl Plugin for Local {
    const KIND: &'static str = "local";
    const TITLE: &'static str = "Processes of this machine";
    const ABOUT: &'static str = "Each replica is a process of the machine that the server runs on, with its own folder, \
        environment and logs. Choose it when the worker is a program that is installed here.";
    type Params = LocalParams;
}

impl Local {
    /// Keeps each replica's files in `<data_dir>/jobs/<job>/replicas/<replica>/`.
    pub fn new(data_dir: &Path) -> Self {
        Self(Arc::new(Shared::new(data_dir)))
    }

    fn read_log(&self, replica: &str, stream: LogStream, from: Option<u64>) -> Result<LogChunk, PlatformError> {
        logs::read(self.0.data_dir(), replica, stream, from)
    }

    /// Whether it lives; then its end will be told.
    fn adopt(&self, handle: &Handle) -> bool {
        let lives = Id::from(handle).lives();
        if lives {
            self.0.adopt(handle);
        }
        lives
    }

    /// Work with processes and files, off the threads that serve everybody.
    async fn blocking<T: Send + 'static>(
        &self,
        of: &str,
        work: impl FnOnce(&Shared) -> Result<T, PlatformError> + Send + 'static,
    ) -> Result<T, PlatformError> {
        let shared = Arc::clone(&self.0);
        spawn_blocking(move || work(&shared)).await.map_err(|cause| PlatformError::Broken { of: of.to_owned(), cause })?
    }

    /// The living processes that belong to whom `theirs` says, oldest first: a parent is told of the end
    /// before it misses its children.
    async fn living(&self, of: &str, theirs: impl Fn(&Owner) -> bool + Send + 'static) -> Result<Vec<Member>, PlatformError> {
        let now = Instant::now();
        self.blocking(of, move |shared| {
            let members = shared.members(now)?;
            let mut living: Vec<Member> = members.iter().filter(|member| theirs(&member.owner) && member.id.lives()).cloned().collect();
            living.sort_by_key(|member| (member.id.start_ticks, member.id.pid));
            Ok(living)
        })
        .await
    }

    async fn tree_of(&self, replica: &str) -> Result<Vec<Member>, PlatformError> {
        let name = replica.to_owned();
        self.living(replica, move |owner| owner.replica == name).await
    }

    async fn processes_of(&self, job: &str) -> Result<Vec<Member>, PlatformError> {
        let name = job.to_owned();
        self.living(job, move |owner| owner.job == name).await
    }
}

#[async_trait]
impl Platform for Local {
    async fn door(&self, replica: &str, _: &Value, queue: &Arc<Queue>, stored: Option<SocketAddr>) -> io::Result<Door> {
        let (listener, address) = address::listen(stored).await?;
        let stop = CancellationToken::new();
        let (queue, callers, until) = (Arc::clone(queue), Callers::Only(replica.to_owned()), stop.clone());
        tokio::spawn(async move { queue.serve(callers, listener, until).await });
        Ok(Door { address, open: stop.drop_guard() })
    }

    async fn start(&self, launch: &Launch) -> Result<Handle, PlatformError> {
        let launch = launch.clone();
        self.blocking(&launch.replica.clone(), move |shared| shared.start(&launch)).await
    }

    fn alive(&self, handle: &Handle, _: &Value) -> bool {
        self.adopt(handle)
    }

    fn find(&self, replica: &str, _: &Value) -> Option<Handle> {
        self.0.find(replica, Instant::now())
    }

    fn place(&self, handle: &Handle) -> Option<String> {
        match handle.place {
            Place::Process { pid, .. } => Some(format!("process {pid}")),
            Place::Pod { .. } => None,
        }
    }

    fn reap(&self) -> Vec<(String, Exit)> {
        self.0.reap()
    }

    fn usage(&self, handles: &[Handle]) -> Vec<Option<Usage>> {
        self.0.usage(handles)
    }

    async fn end(&self, handle: &Handle, grace: Duration) -> Result<(), PlatformError> {
        let _quiet = self.0.ending(&handle.replica);
        // Adopted, its tree is known by its root too, not only by its marks.
        self.adopt(handle);
        let members = || self.tree_of(&handle.replica);
        if !end::ask(members, handle.into(), grace).await? {
            end::kill(members, &handle.replica).await?;
        }
        Ok(())
    }

    async fn wake(&self, job: &str) -> Result<(), PlatformError> {
        self.processes_of(job).await?.iter().for_each(|member| member.id.signal(Signal::CONT));
        Ok(())
    }

    async fn sweep(&self, job: &str, _: &Value) -> Result<usize, PlatformError> {
        end::kill(|| self.processes_of(job), job).await
    }

    async fn log(&self, replica: &str, stream: LogStream, from: Option<u64>) -> Result<LogChunk, PlatformError> {
        self.read_log(replica, stream, from)
    }

    fn trim(&self) {
        self.0.trim();
    }

    fn grace(&self, params: &Value) -> Duration {
        // Checked before; if they are not readable, the default grace is a safe one.
        Duration::try_from_secs_f64(parse::<Self>(params).unwrap_or_default().grace_s).unwrap_or_default()
    }
}

//! `asperathos serve`: opens the store and the queues, takes up what was running, and serves pages until told to stop.

use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;
use std::time::Duration;

use leptos::config::LeptosOptions;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::lead::{Lead, lead};
use crate::access::tokens::{self, TokenFileError};
use crate::backend::Server;
use crate::clock::now_ms;
use crate::config::{OnExit, Settings};
use crate::http::live::Streams;
use crate::http::{Web, router};
use crate::manager::{Manager, uploads};
use crate::queue::{QueueError, Queues};
use crate::store::{Store, StoreError};

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(
        "{0} is not a loopback address: everybody who reaches it and signs in can run commands here. Add --allow-remote if that is meant"
    )]
    Remote(std::net::SocketAddr),
    #[error("could not make the folder {folder}")]
    Folder {
        folder: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("could not open the store")]
    Store(#[from] StoreError),
    #[error("could not ask for the Lease: {0}")]
    Lease(String),
    #[error("could not start the thread that ends this server when it may no longer lead")]
    Fence(#[source] std::io::Error),
    #[error("could not open the queues; is another server running on the same data folder?")]
    Queues(#[from] QueueError),
    #[error("could not listen on {listen}; is another server running?")]
    Listen {
        listen: std::net::SocketAddr,
        #[source]
        cause: std::io::Error,
    },
    #[error(transparent)]
    Token(#[from] TokenFileError),
    #[error("could not take up the jobs that were running: {0}")]
    Recover(String),
    #[error("the web server failed")]
    Serve(#[source] std::io::Error),
}

pub async fn run(settings: Settings) -> Result<(), ServeError> {
    if !settings.listen.ip().is_loopback() && !settings.allow_remote {
        return Err(ServeError::Remote(settings.listen));
    }
    for folder in [settings.data.clone(), settings.uploads()] {
        // Logs, results and environments of jobs are their owner's alone.
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|cause| ServeError::Folder { folder: folder.display().to_string(), cause })?;
    }
    if !settings.site.join("pkg").is_dir() {
        tracing::warn!("{} holds no browser part: pages can be read, but do not move; see --site", settings.site.display());
    }
    // Replicas outlive the server: a lock or a pipe that it was started with must not live on in them.
    close_fds::CloseFdsBuilder::new().cloexecfrom(3);
    // First of all the port: two servers must never look after the same jobs.
    let listener = TcpListener::bind(settings.listen).await.map_err(|cause| ServeError::Listen { listen: settings.listen, cause })?;
    // Whoever leads comes first: nothing of the data folder is opened by anybody else.
    let (listener, queues, keeper) = match &settings.lease {
        None => (listener, Queues::open(&settings.queues())?, None),
        Some(name) => match lead(name, &settings, listener).await? {
            Some(Lead { listener, queues, keeper }) => (listener, queues, Some(keeper)),
            None => return Ok(()),
        },
    };
    let store = Store::open(&settings.database()).await?;
    match &settings.admin_token_file {
        Some(file) => tokens::read_admin_token(&store, file, &settings.data).await?,
        None => tokens::write_admin_token(&store, &settings.data).await?,
    }

    let manager = Manager::new(settings.clone(), store.clone(), queues);
    let recovered = manager.recover().await.map_err(|error| ServeError::Recover(error.to_string()))?;
    if recovered > 0 {
        tracing::info!("{recovered} job(s) go on");
    }
    tokio::spawn(housekeeping(store.clone(), settings.uploads()));

    let stop = CancellationToken::new();
    let leptos = LeptosOptions::builder()
        .output_name("asperathos")
        .site_root(settings.site.display().to_string())
        .site_pkg_dir("pkg")
        .site_addr(settings.listen)
        .build();
    let web = Web {
        server: Arc::new(Server { manager: manager.clone() }),
        store,
        leptos,
        hosts: Arc::new(hosts(&settings)),
        stop: stop.clone(),
        signed_out: watch::Sender::new(0),
        streams: Streams::default(),
    };
    tracing::info!("listening on http://{}", settings.listen);
    let signal = {
        let stop = stop.clone();
        async move {
            wait_for_signal().await;
            stop.cancel();
        }
    };
    let serve = axum::serve(listener, router(web)).with_graceful_shutdown(signal);
    let ended = tokio::select! {
        ended = serve => ended,
        // Open downloads must not keep a server from stopping.
        () = async { stop.cancelled().await; tokio::time::sleep(Duration::from_secs(3)).await } => Ok(()),
    };
    manager.shutdown(settings.on_exit == OnExit::Suspend).await;
    if let Some(keeper) = keeper {
        keeper.give_up().await;
    }
    ended.map_err(ServeError::Serve)
}

/// Names under which this server answers: a page that reached it by another name is a stranger's.
fn hosts(settings: &Settings) -> Vec<String> {
    let port = settings.listen.port();
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "[::1]".to_owned()];
    names.push(match settings.listen {
        std::net::SocketAddr::V4(address) => address.ip().to_string(),
        std::net::SocketAddr::V6(address) => format!("[{}]", address.ip()),
    });
    let mut hosts: Vec<String> = names.iter().map(|name| format!("{name}:{port}")).collect();
    for host in &settings.host {
        hosts.push(host.to_ascii_lowercase());
    }
    hosts
}

pub(super) async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
    tracing::info!("stopping");
}

/// Retention, once a minute and in small bites.
async fn housekeeping(store: Store, folder: std::path::PathBuf) {
    let mut minute = tokio::time::interval(Duration::from_secs(60));
    loop {
        minute.tick().await;
        if let Err(error) = store.housekeeping(now_ms()).await {
            tracing::warn!("housekeeping: {}", crate::words::chain(&error));
        }
        uploads::sweep(&store, &folder).await;
    }
}

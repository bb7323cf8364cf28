//! What a server with a Lease does first: it waits until it leads, and answers meanwhile that it does not.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::serve::{ServeError, wait_for_signal};
use crate::config::Settings;
use crate::fence;
use crate::http::standby;
use crate::platform::{Candidate, Keeper};
use crate::queue::Queues;

/// A leader that was stopped still holds the data folder; it ends when it goes on.
const OPEN_AGAIN: Duration = Duration::from_millis(200);
/// How long the last who asked the standby may take.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// What a leader begins with.
pub struct Lead {
    pub listener: TcpListener,
    pub queues: Arc<Queues>,
    pub keeper: Keeper,
}

/// `None` when it was told to stop before it led.
pub async fn lead(name: &str, settings: &Settings, listener: TcpListener) -> Result<Option<Lead>, ServeError> {
    let listen = |cause| ServeError::Listen { listen: settings.listen, cause };
    let candidate = Candidate::new(name, &settings.cluster).await.map_err(ServeError::Lease)?;
    // Two handles on one port: nobody who calls is refused when the standby's is closed.
    let listener = listener.into_std().map_err(listen)?;
    let before = TcpListener::from_std(listener.try_clone().map_err(listen)?).map_err(listen)?;
    let listener = TcpListener::from_std(listener).map_err(listen)?;
    let (words, told) = watch::channel("standby".to_owned());
    let leads = CancellationToken::new();
    let answering = tokio::spawn(standby::serve(before, told, leads.clone()));
    let first = async {
        let held = candidate.lead(&words).await;
        fence::watch().map_err(ServeError::Fence)?;
        let keeper = held.keep();
        let queues = loop {
            match Queues::open(&settings.queues()) {
                Err(error) if error.in_use() => {
                    words.send_replace("standby, and the leader of before still holds the data folder".to_owned());
                }
                opened => break opened?,
            }
            tokio::time::sleep(OPEN_AGAIN).await;
        };
        Ok::<_, ServeError>((queues, keeper))
    };
    let (queues, keeper) = tokio::select! {
        led = first => led?,
        () = wait_for_signal() => return Ok(None),
    };
    tracing::info!("this server leads, by the Lease {name}");
    leads.cancel();
    // Whoever hangs on is not waited for.
    let _ = tokio::time::timeout(LAST_ANSWERS, answering).await;
    Ok(Some(Lead { listener, queues, keeper }))
}

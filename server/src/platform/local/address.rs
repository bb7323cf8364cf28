//! A loopback address for each replica's queue: the address that is called says who calls.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{net::TcpListener, time::sleep};

/// Where Redis clients look when nobody tells them a port.
const REDIS_PORT: u16 = 6379;
/// Most of 127.64.0.0 to 127.127.255.255 is free; only a listener on every address takes them all.
const TRIES: usize = 8;
/// A server that has just died may keep its sockets for a moment.
const REBIND_TRIES: usize = 50;
const REBIND_PAUSE: Duration = Duration::from_millis(100);

/// A listener on a loopback address of its own, on Redis' port when that is free.
/// With a hint it is exactly that address: a living worker has it in its environment.
///
/// # Errors
/// When nothing could be bound, or the hinted address stays taken for five seconds.
pub async fn listen(replica_hint: Option<SocketAddr>) -> io::Result<(TcpListener, SocketAddr)> {
    match replica_hint {
        Some(address) => rebind(address).await,
        None => bind_anew().await,
    }
}

async fn rebind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let mut tries = 1;
    loop {
        // Binding sets SO_REUSEADDR, so connections of the server before are no hindrance.
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok((listener, address)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < REBIND_TRIES => tries += 1,
            Err(error) => return Err(error),
        }
        sleep(REBIND_PAUSE).await;
    }
}

async fn bind_anew() -> io::Result<(TcpListener, SocketAddr)> {
    for _ in 0..TRIES {
        if let Ok(listener) = TcpListener::bind((loopback(), REDIS_PORT)).await {
            let address = listener.local_addr()?;
            return Ok((listener, address));
        }
    }
    let listener = TcpListener::bind((loopback(), 0)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn loopback() -> Ipv4Addr {
    Ipv4Addr::new(127, rand::random_range(64..=127), rand::random(), rand::random_range(1..=254))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::listen;

    #[tokio::test]
    async fn every_replica_has_an_address_of_its_own_and_keeps_it() {
        let (one, first) = listen(None).await.unwrap();
        let (_two, second) = listen(None).await.unwrap();
        assert_ne!(first.ip(), second.ip());
        assert!(first.ip().is_loopback());

        // The server dies with a worker connected, and comes again.
        let _worker = TcpStream::connect(first).await.unwrap();
        let accepted = one.accept().await.unwrap();
        drop((one, accepted));
        let (_again, same) = listen(Some(first)).await.unwrap();
        assert_eq!(same, first);
    }
}

//! Many replicas on one listener: who calls is known by the address that the call comes from.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
};
use tokio_util::sync::CancellationToken;

use super::{Addresses, Caller, Callers, queue_of};
use control::job::Order;

#[derive(Default)]
struct Book(Mutex<HashMap<IpAddr, (String, CancellationToken)>>);

#[async_trait]
impl Addresses for Book {
    async fn caller(&self, address: IpAddr) -> Option<Caller> {
        let found = self.0.lock().unwrap().get(&address).cloned();
        found.map(|(replica, until)| Caller { replica, until })
    }
}

async fn call_from(address: &str, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(address.parse().unwrap(), 0)).unwrap();
    socket.connect(to).await.unwrap()
}

/// Says words and answers with what came back; nothing when the other side has hung up.
async fn say(stream: &mut TcpStream, words: &str) -> String {
    // Who was hung up on cannot write, which its reading tells as well.
    let _ = stream.write_all(format!("{words}\r\n").as_bytes()).await;
    let mut answer = vec![0; 1024];
    let got = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut answer)).await.unwrap().unwrap_or(0);
    String::from_utf8_lossy(&answer[..got]).into_owned()
}

#[tokio::test]
async fn one_listener_serves_many_and_strangers_are_refused() {
    let fixture = queue_of(Order::Fifo, 3, &["a", "b"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = listener.local_addr().unwrap();
    let (book, stop) = (Arc::new(Book::default()), CancellationToken::new());
    let first = CancellationToken::new();
    book.0.lock().unwrap().insert("127.0.1.1".parse().unwrap(), ("r1".to_owned(), first.clone()));
    book.0.lock().unwrap().insert("127.0.1.2".parse().unwrap(), ("r2".to_owned(), CancellationToken::new()));
    let (queue, callers, until) = (fixture.queue.clone(), Callers::From(book), stop.clone());
    tokio::spawn(async move { queue.serve(callers, listener, until).await });

    let (mut one, mut two) = (call_from("127.0.1.1", to).await, call_from("127.0.1.2", to).await);
    assert_eq!(say(&mut one, "RPOPLPUSH job job:processing").await, "$1\r\na\r\n");
    assert_eq!(say(&mut two, "RPOPLPUSH job job:processing").await, "$1\r\nb\r\n");
    assert_eq!(fixture.queue.holds("r1"), ["a"]);
    assert_eq!(fixture.queue.holds("r2"), ["b"]);

    let mut stranger = call_from("127.0.1.3", to).await;
    let refused = say(&mut stranger, "LLEN job").await;
    assert!(refused.starts_with("-NOPERM this address is no replica of this job"), "{refused}");

    // A replica that is forgotten is cut off, and nobody else is.
    first.cancel();
    assert_eq!(say(&mut one, "PING").await, "");
    assert_eq!(say(&mut two, "PING").await, "+PONG\r\n");
    drop(stop);
}

//! What the pods of the cluster's test run: says that it is there and ends, or stays until it is told to end.

use std::env;
use std::thread;
use std::time::Duration;

fn main() {
    println!("hello from {}", env::var("HOSTNAME").unwrap_or_default());
    if env::args().nth(1).as_deref() == Some("stay") {
        thread::sleep(Duration::from_secs(600));
    }
}

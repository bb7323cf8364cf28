//! Tells the worker's story with a real connection to a scripted queue and real commands.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::command::{Outcome, Runner};
use super::{ResultFrom, WorkerArgs, client::Task, work};

/// What the queue does at one command of the worker.
enum Turn {
    Answer(&'static str, &'static str),
    /// Dies without an answer: connection and port are closed, then it comes back at the same address.
    Crash(&'static str),
    /// The worker is asked to end while the answer is on its way.
    AnswerAndStop(&'static str, &'static str),
}

const OK: &str = "+OK\r\n";
const ACCEPTED: &str = ":1\r\n";
const LOST: &str = ":0\r\n";
const NOTHING: &str = "*-1\r\n";

async fn read_command(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let count: usize = line.trim().strip_prefix('*')?.parse().ok()?;
    let mut words = Vec::new();
    for _ in 0..count {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        let size: usize = line.trim().strip_prefix('$')?.parse().ok()?;
        let mut word = vec![0; size + 2];
        stream.read_exact(&mut word).await.ok()?;
        words.push(String::from_utf8_lossy(&word[..size]).into_owned());
    }
    Some(words)
}

/// Plays the script to the worker; gives back what the worker said.
async fn play(script: Vec<Turn>, command: &[&str]) -> Vec<String> {
    let mut turns = VecDeque::from(script);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let mut listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let queue = tokio::spawn({
        let (heard, stop) = (heard.clone(), stop.clone());
        async move {
            'connection: loop {
                let (stream, _) = listener.accept().await.unwrap();
                let mut stream = BufReader::new(stream);
                while let Some(words) = read_command(&mut stream).await {
                    if !words[0].starts_with("ASPERATHOS.") {
                        stream.write_all(OK.as_bytes()).await.unwrap();
                        continue;
                    }
                    heard.lock().unwrap().push(words.join(" "));
                    let turn = turns.pop_front().expect("the script has an answer");
                    let (Turn::Answer(name, _) | Turn::Crash(name) | Turn::AnswerAndStop(name, _)) = turn;
                    assert_eq!(words[0], format!("ASPERATHOS.{name}"));
                    match turn {
                        Turn::Answer(_, answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
                        Turn::AnswerAndStop(_, answer) => {
                            stop.cancel();
                            stream.write_all(answer.as_bytes()).await.unwrap();
                        }
                        Turn::Crash(_) => {
                            drop((stream, listener));
                            tokio::time::sleep(std::time::Duration::from_millis(250)).await;
                            listener = TcpListener::bind(address).await.unwrap();
                            continue 'connection;
                        }
                    }
                    if turns.is_empty() {
                        break 'connection;
                    }
                }
            }
        }
    });
    let args = WorkerArgs {
        host: address.ip().to_string(),
        port: address.port(),
        timeout_s: None,
        result: ResultFrom::Stdout,
        command: command.iter().map(Into::into).collect(),
    };
    work(args, &stop).await.unwrap();
    queue.await.unwrap();
    heard.lock().unwrap().clone()
}

fn task(item: &[u8]) -> Task {
    Task { index: 7, attempt: 2, item: item.to_vec() }
}

async fn run(command: &[&str], timeout_s: Option<f64>, result: ResultFrom, item: &[u8]) -> Outcome {
    let command = command.iter().map(Into::into).collect();
    Runner::new(command, timeout_s.map(std::time::Duration::from_secs_f64), result).run(&task(item)).await
}

#[tokio::test]
async fn items_are_taken_run_and_reported_until_the_job_is_over() {
    let heard = play(
        vec![
            Turn::Answer("TAKE", "*3\r\n:0\r\n:1\r\n$4\r\nkiwi\r\n"),
            Turn::Answer("DONE", ACCEPTED),
            Turn::Answer("TAKE", NOTHING),
            Turn::Answer("STATE", "+drain\r\n"),
            Turn::Answer("TAKE", "*3\r\n$1\r\n4\r\n$1\r\n2\r\n$5\r\nlemon\r\n"),
            Turn::Answer("FAIL", LOST),
            Turn::Answer("TAKE", "$-1\r\n"),
            Turn::Answer("STATE", "$4\r\nover\r\n"),
        ],
        &["sh", "-c", "test {item} = kiwi && printf '%s!' {item} || { echo sour >&2; exit 3; }"],
    )
    .await;
    assert_eq!(
        heard,
        [
            "ASPERATHOS.TAKE 2",
            "ASPERATHOS.DONE 0 1 kiwi!",
            "ASPERATHOS.TAKE 2",
            "ASPERATHOS.STATE",
            "ASPERATHOS.TAKE 2",
            "ASPERATHOS.FAIL 4 2 exit code 3: sour",
            "ASPERATHOS.TAKE 2",
            "ASPERATHOS.STATE",
        ]
    );
}

#[tokio::test]
async fn a_result_outlives_the_queue_that_dies_before_it_answers() {
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("runs");
    let script = format!("echo once >> {}; echo fruit", log.display());
    let heard = play(
        vec![
            Turn::Crash("TAKE"),
            Turn::Answer("TAKE", "*3\r\n:0\r\n:1\r\n$4\r\nkiwi\r\n"),
            Turn::Crash("DONE"),
            Turn::Answer("DONE", ACCEPTED),
            Turn::Answer("TAKE", NOTHING),
            Turn::Answer("STATE", "+over\r\n"),
        ],
        &["sh", "-c", &script],
    )
    .await;
    assert_eq!(heard[2..4], ["ASPERATHOS.DONE 0 1 fruit\n", "ASPERATHOS.DONE 0 1 fruit\n"]);
    assert_eq!(std::fs::read_to_string(log).unwrap(), "once\n");
}

#[tokio::test]
async fn asked_to_end_it_still_finishes_and_reports_its_item() {
    let heard = play(
        vec![Turn::AnswerAndStop("TAKE", "*3\r\n:0\r\n:1\r\n$4\r\nkiwi\r\n"), Turn::Answer("DONE", ACCEPTED)],
        &["sh", "-c", "sleep 0.2; echo {item}"],
    )
    .await;
    assert_eq!(heard, ["ASPERATHOS.TAKE 2", "ASPERATHOS.DONE 0 1 kiwi\n"]);
}

#[tokio::test]
async fn an_item_whose_command_is_ended_with_the_worker_has_not_failed() {
    let heard = play(vec![Turn::AnswerAndStop("TAKE", "*3\r\n:0\r\n:1\r\n$4\r\nkiwi\r\n")], &["sh", "-c", "kill -TERM $$"]).await;
    assert_eq!(heard, ["ASPERATHOS.TAKE 2"]);
}

#[tokio::test]
async fn any_bytes_go_in_and_come_out() {
    let item = b"\0\xff {result} \n";
    assert_eq!(run(&["cat"], None, ResultFrom::Stdout, item).await, Outcome::Done(item.to_vec()));

    let say = "printf '%s/%s/%s' \"$ASPERATHOS_ITEM\" $ASPERATHOS_INDEX $ASPERATHOS_ATTEMPT";
    assert_eq!(run(&["sh", "-c", say], None, ResultFrom::Stdout, b"a b").await, Outcome::Done(b"a b/7/2".to_vec()));

    let copy = ["cp", "{item}", "{result}"];
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "from a file").unwrap();
    let path = file.path().to_str().unwrap();
    assert_eq!(run(&copy, None, ResultFrom::File, path.as_bytes()).await, Outcome::Done(b"from a file".to_vec()));
}

#[tokio::test]
async fn every_bad_end_has_its_words() {
    let failed = |text: &str| Outcome::Failed(text.to_owned());
    let endless = ["sh", "-c", "echo busy >&2; sleep 600 & wait"];
    assert_eq!(run(&endless, Some(0.3), ResultFrom::Stdout, b"x").await, failed("killed after 0.3 s: busy"));
    assert_eq!(run(&["cat", "/dev/zero"], None, ResultFrom::Stdout, b"x").await, failed("the result is larger than 64 MiB"));
    assert_eq!(run(&["sh", "-c", "kill -9 $$"], None, ResultFrom::Stdout, b"x").await, Outcome::Killed("killed by signal 9".to_owned()));
    let Outcome::Failed(why) = run(&["no-such-program-here"], None, ResultFrom::Stdout, b"x").await else {
        panic!("it cannot have run");
    };
    assert!(why.starts_with("could not start no-such-program-here: "), "{why}");
}

#[tokio::test]
async fn a_child_left_behind_does_not_hold_up_the_worker() {
    let leaving = ["sh", "-c", "echo $$; sleep 600 & exit 0"];
    let Outcome::Done(group) = run(&leaving, None, ResultFrom::Stdout, b"x").await else {
        panic!("the command itself went well");
    };
    let group: i32 = String::from_utf8(group).unwrap().trim().parse().unwrap();
    let group = rustix::process::Pid::from_raw(group).unwrap();
    // Killed means gone, as soon as init has reaped it.
    while rustix::process::test_kill_process_group(group).is_ok() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

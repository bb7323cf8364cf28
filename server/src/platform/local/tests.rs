//! Real processes: trees are ended whole, ends are understood, replicas are found again and stay bounded.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
    time::Duration,
};

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::platform::{PlatformError, logs::folder_of};

/// Long for a machine that is busy; never waited out when all is well.
const PATIENCE: Duration = Duration::from_secs(20);
const GENEROUS: Duration = Duration::from_secs(30);

struct House {
    local: Local,
    job: String,
    data: TempDir,
}

impl House {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let job = format!("kj-{:016x}", rand::random::<u64>());
        Self { local: Local::new(data.path()), job, data }
    }

    fn replica(&self, number: u32) -> String {
        format!("{}-r{number}", self.job)
    }

    fn launch(&self, script: &str) -> Launch {
        Launch {
            job: self.job.clone(),
            replica: self.replica(1),
            params: json!({"command": ["sh", "-c", script], "env": {"COLOUR": "blue"}, "log_limit_kib": 64}),
            redis_host: IpAddr::V4(Ipv4Addr::new(127, 64, 0, 1)),
            redis_port: 6379,
            extra_env: Vec::new(),
        }
    }

    /// Starts it and waits until it has printed `ready`.
    async fn ready(&self, script: &str) -> Handle {
        let handle = self.local.start(&self.launch(script)).await.unwrap();
        until(|| self.stdout().contains("ready")).await;
        handle
    }

    fn stdout(&self) -> String {
        self.local.read_log(&self.replica(1), LogStream::Stdout, Some(0)).unwrap().text
    }

    async fn left(&self) -> usize {
        self.local.processes_of(&self.job).await.unwrap().len()
    }

    async fn exit(&self) -> Exit {
        let mut ended = Vec::new();
        until(|| {
            ended.extend(self.local.reap());
            !ended.is_empty()
        })
        .await;
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].0, self.replica(1));
        ended[0].1
    }

    /// The same data folder after the server died: nothing is known of its children.
    fn next_server(&self) -> Local {
        Local::new(self.data.path())
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let mut census = tree::Census::default();
        for member in census.members(Instant::now(), Vec::new).unwrap().iter() {
            if member.owner.job == self.job {
                member.id.signal(rustix::process::Signal::KILL);
            }
        }
        self.local.reap();
    }
}

async fn until(mut so: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.expect("it did not come to pass");
}

#[tokio::test]
async fn a_tree_is_ended_whole_with_those_who_left_their_group() {
    let house = House::new();
    // A child; one that left for a session of its own; one that also emptied its environment, and loses its parent later.
    let script = "sleep 600 & (setsid sleep 601 &) ; \
        (setsid env -i sleep 602 & echo ready; until [ -e go ]; do sleep 0.05; done) & wait";
    let handle = house.ready(script).await;
    house.local.usage(std::slice::from_ref(&handle));
    let folder = folder_of(house.data.path(), &house.job, &house.replica(1)).unwrap();
    std::fs::write(folder.join("work/go"), "").unwrap();
    tokio::time::timeout(PATIENCE, async { while house.left().await != 4 {} }).await.unwrap();
    house.local.end(&handle, GENEROUS).await.unwrap();
    assert_eq!(house.left().await, 0);
    assert_eq!(house.exit().await, Exit::Signal(15));
    assert!(!house.local.adopt(&handle));
}

#[tokio::test]
async fn who_ignores_term_is_killed_after_the_grace() {
    let house = House::new();
    let handle = house.ready("trap '' TERM; echo ready; while :; do sleep 0.05; done").await;
    house.local.end(&handle, Duration::from_millis(200)).await.unwrap();
    assert_eq!(house.left().await, 0);
    assert_eq!(house.exit().await, Exit::Signal(9));
}

#[tokio::test]
async fn cleaning_up_in_the_grace_is_not_disturbed() {
    let house = House::new();
    let handle = house.ready("trap 'sleep 0.3; echo cleaned; exit 0' TERM; echo ready; while :; do sleep 0.05; done").await;
    house.local.end(&handle, GENEROUS).await.unwrap();
    assert!(house.stdout().contains("cleaned"));
    assert_eq!(house.exit().await, Exit::Code(0));
}

#[tokio::test]
async fn the_first_process_may_finish_what_its_child_is_at() {
    let house = House::new();
    // As `asperathos worker` does: asked to end, it lets the command of its item come to its end.
    let script = "trap : TERM; (trap 'echo broken off; exit' TERM; echo ready; sleep 0.5; echo finished) & child=$!; \
        while kill -0 $child 2>/dev/null; do wait $child; done; echo reported";
    let handle = house.ready(script).await;
    house.local.end(&handle, GENEROUS).await.unwrap();
    assert_eq!(house.stdout(), "ready\nfinished\nreported\n");
    assert_eq!(house.exit().await, Exit::Code(0));
}

#[tokio::test]
async fn a_child_is_asked_when_its_parent_waits_too_long() {
    let house = House::new();
    let handle = house.ready("trap : TERM; (trap 'echo asked; exit' TERM; echo ready; while :; do sleep 0.05; done); echo over").await;
    house.local.end(&handle, Duration::from_secs(2)).await.unwrap();
    assert_eq!(house.stdout(), "ready\nasked\nover\n");
    assert_eq!(house.exit().await, Exit::Code(0));
}

#[tokio::test]
async fn a_stopped_tree_goes_on_when_it_is_woken() {
    let house = House::new();
    let handle = house.ready("echo ready; (while [ ! -e go ]; do sleep 0.02; done); echo went on").await;
    for member in house.local.processes_of(&house.job).await.unwrap() {
        member.id.signal(rustix::process::Signal::STOP);
    }
    let folder = folder_of(house.data.path(), &house.job, &house.replica(1)).unwrap();
    std::fs::write(folder.join("work/go"), "").unwrap();
    let next = house.next_server();
    assert!(next.adopt(&handle));
    next.wake(&house.job).await.unwrap();
    until(|| house.stdout().contains("went on")).await;
    assert_eq!(house.exit().await, Exit::Code(0));
}

#[tokio::test]
async fn ends_are_told_once_and_leave_nobody_behind() {
    for (script, exit) in [("exit 0", Exit::Code(0)), ("exit 3", Exit::Code(3)), ("kill -SEGV $$", Exit::Signal(11))] {
        let house = House::new();
        house.local.start(&house.launch(&format!("sleep 600 & {script}"))).await.unwrap();
        assert_eq!(house.exit().await, exit);
        assert!(house.local.reap().is_empty());
        tokio::time::timeout(PATIENCE, async { while house.left().await != 0 {} }).await.unwrap();
    }
}

#[tokio::test]
async fn the_next_server_adopts_by_pid_and_start_time() {
    let house = House::new();
    let handle = house.ready("echo ready; exec sleep 600").await;
    let next = house.next_server();
    let stored: Handle = serde_json::from_value(serde_json::to_value(&handle).unwrap()).unwrap();
    let Place::Process { pid, start_ticks } = handle.place else { panic!("it is no process") };
    let reused = Handle { place: Place::Process { pid, start_ticks: start_ticks + 1 }, ..handle.clone() };
    assert!(!next.adopt(&reused));
    assert!(next.adopt(&stored));
    assert!(next.reap().is_empty());

    // One that was never stored is found by its mark, and is not started a second time.
    let third = house.next_server();
    assert_eq!(third.find(&house.replica(1), &json!({})), Some(handle.clone()));
    assert_eq!(third.find(&house.replica(2), &json!({})), None);
    assert_eq!(third.start(&house.launch("exit 7")).await.unwrap(), handle);

    // A handle whose pid went to another process ends nobody else: only what bears the replica's mark.
    let stranger = Handle { replica: house.replica(9), ..reused };
    next.end(&stranger, Duration::ZERO).await.unwrap();
    assert!(next.adopt(&handle));

    next.end(&handle, GENEROUS).await.unwrap();
    assert_eq!(next.reap(), [(house.replica(1), Exit::Unknown)]);
    assert_eq!(house.exit().await, Exit::Signal(15));
}

#[tokio::test]
async fn a_sweep_leaves_nobody_of_the_job() {
    let house = House::new();
    house.ready("(setsid sleep 600 &) ; sleep 0.1; echo ready; sleep 600").await;
    let other = House::new();
    let neighbour = other.ready("echo ready; exec sleep 600").await;
    assert_eq!(house.next_server().sweep(&house.job, &json!({})).await.unwrap(), 3);
    assert_eq!(house.left().await, 0);
    assert!(other.local.adopt(&neighbour));
    assert_eq!(house.next_server().sweep(&house.job, &json!({})).await.unwrap(), 0);
}

#[tokio::test]
async fn a_talkative_worker_stays_within_its_limit() {
    let house = House::new();
    let handle = house
        .local
        .start(&house.launch("i=0; while [ $i -lt 80 ]; do head -c 65535 /dev/zero | tr '\\0' x; echo; i=$((i+1)); done; echo the end"))
        .await
        .unwrap();
    let file = folder_of(house.data.path(), &house.job, &house.replica(1)).unwrap().join("stdout.log");
    until(|| {
        house.local.trim();
        !Id::from(&handle).lives()
    })
    .await;
    assert_eq!(house.exit().await, Exit::Code(0));
    use std::os::unix::fs::MetadataExt;
    assert!(std::fs::metadata(file).unwrap().blocks() * 512 <= 64 * 1024);
    let newest = house.local.read_log(&house.replica(1), LogStream::Stdout, None).unwrap();
    assert_eq!(newest.next, 80 * 65536 + 8);
    assert!(newest.text.ends_with("x\nthe end\n"));
}

#[tokio::test]
async fn the_environment_is_clean_and_the_use_is_measured() {
    let house = House::new();
    let mut launch = house.launch("env; pwd; echo oops >&2; echo ready; while :; do :; done");
    launch.extra_env.push(("EXTRA".to_owned(), "1".to_owned()));
    let handle = house.local.start(&launch).await.unwrap();
    until(|| house.stdout().contains("ready")).await;
    let printed = house.stdout();
    for line in [
        "COLOUR=blue",
        "EXTRA=1",
        "REDIS_HOST=127.64.0.1",
        "REDIS_PORT=6379",
        "REDIS_QUEUE=job",
        &format!("ASPERATHOS_REPLICA={}", house.replica(1)),
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line} is not in {printed}");
    }
    // The test itself runs with variables of cargo; they stand for the server's secrets.
    assert!(std::env::vars().any(|(name, _)| name.starts_with("CARGO")) && !printed.contains("CARGO"));
    assert!(printed.lines().any(|line| line.ends_with("/work") && Path::new(line).is_dir()));
    assert_eq!(house.local.read_log(&house.replica(1), LogStream::Stderr, None).unwrap().text, "oops\n");

    until(|| {
        let used = house.local.usage(std::slice::from_ref(&handle))[0].unwrap();
        assert_eq!(used.processes, 1);
        used.cpu_s > 0.1 && used.memory_bytes > 0
    })
    .await;
    house.local.end(&handle, GENEROUS).await.unwrap();
    assert_eq!(house.local.usage(std::slice::from_ref(&handle))[0].unwrap().processes, 0);
}

#[tokio::test]
async fn what_cannot_run_is_said() {
    let house = House::new();
    let mut launch = house.launch("");
    launch.params = json!({"command": ["no-such-program-anywhere"]});
    let error = house.local.start(&launch).await.unwrap_err();
    assert!(error.to_string().contains("no-such-program-anywhere"), "{error}");
    launch = house.launch("exit 0");
    launch.replica = "../../etc-r1".to_owned();
    assert!(matches!(house.local.start(&launch).await, Err(PlatformError::Name { .. })));
    assert!(matches!(house.local.read_log("../x-r1", LogStream::Stdout, None), Err(PlatformError::Name { .. })));
    assert!(matches!(house.local.read_log("kj-x-r1", LogStream::Stdout, None), Err(PlatformError::NoLog { .. })));
}

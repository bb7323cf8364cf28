//! Natively and in WebAssembly the law answers the same bytes, and a simulated job ends the same.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use control::control_loop::{ControlLoop, Effect, Input};
use control::pipe::Pipe;
use control::plugin::PluginSpec;
use control::simulator::grid::{self, Set};
use control::simulator::run::{self, Prepared};
use control::simulator::scenario::Scenario;
use serde_json::json;

const JOBS: usize = 60;
/// Every third job is for one of these, in turn; the others are for `deadline`, which has the most arithmetic.
const OTHERS: [&str; 6] = ["pid", "progress_tendency", "proportional", "proportional_derivative", "stream", "threshold"];
/// So that a build for tests plays all in seconds.
const MOST_ITEMS: u32 = 2000;
const MOST_REPLICAS: u32 = 40;
const TICKS: f64 = 100.0;

/// What the module is told, and what it must answer.
struct Said {
    job: String,
    line: String,
    answer: String,
}

#[test]
#[ignore = "builds the module and needs Node.js: cargo xtask test"]
fn natively_and_in_webassembly_the_law_answers_the_same_bytes() {
    let module = module();
    let said: Vec<_> = scenarios().iter().flat_map(played).collect();
    let answers = host(&module, said.iter().map(|said| said.line.clone()).collect());
    for (place, (said, answer)) in said.iter().zip(&answers).enumerate() {
        assert_eq!(said.answer, *answer, "line {place} of {}: {}", said.job, said.line);
    }
    assert_eq!(answers.len(), said.len());
    let bytes: usize = answers.iter().map(String::len).sum();
    println!("{JOBS} jobs, {} lines, {bytes} bytes of answers: all the same", said.len());
}

/// Plain, disturbed and infeasible jobs of the grid, those that are small.
fn scenarios() -> Vec<Scenario> {
    let numbers = (0u64..).flat_map(|number| [Set::Plain, Set::Disturbed, Set::Infeasible].map(|set| (set, number)));
    let small = numbers.filter_map(|(set, number)| {
        let scenario = grid::job(set, grid::REPORT, number).prepared.scenario;
        let small = scenario.items.count <= MOST_ITEMS && scenario.replicas.max <= MOST_REPLICAS;
        small.then(|| Scenario { tick_s: scenario.deadline_s / TICKS, name: format!("{} {number}", set.word()), ..scenario })
    });
    let mut scenarios: Vec<_> = small.take(JOBS).collect();
    for (place, scenario) in scenarios.iter_mut().enumerate() {
        // Not in step with the sets.
        let kind = if place % 3 == place / 3 % 3 { OTHERS[place / 3 % OTHERS.len()] } else { "deadline" };
        scenario.controller = PluginSpec::new(kind, json!({}));
    }
    scenarios
}

fn played(scenario: &Scenario) -> Vec<Said> {
    let spec = &scenario.controller;
    let job = format!("{} under {}", scenario.name, spec.kind);
    let mut said = vec![Said { job: job.clone(), line: format!("begin {}", json!(spec)), answer: String::new() }];
    let mut pipe = Pipe::new(ControlLoop::new("pipe", spec, 1, None).expect("a law"));
    let mut trace = |input: &Input, _: &[Effect]| {
        let line = serde_json::to_string(input).expect("plain data");
        let answer = pipe.take(line.as_bytes()).expect("no blank line");
        said.push(Said { job: job.clone(), line: format!("take {line}"), answer });
    };
    // Through text, as the module reads it.
    let text = serde_json::to_string(scenario).expect("plain data");
    let prepared = Prepared::new(Scenario::parse(&text).unwrap_or_else(|errors| panic!("{errors:?}")));
    let result = run::simulate(&prepared, spec, Some(&mut trace)).expect("a law");
    let answer = serde_json::to_string(&result).expect("plain data");
    said.push(Said { job, line: format!("simulate {text}"), answer });
    said
}

fn module() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = root.join("target/law-wasm");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "-p", "law-wasm", "--target", "wasm32-unknown-unknown", "--target-dir"])
        .arg(&target)
        .current_dir(&root)
        .status();
    assert!(built.expect("cargo runs").success(), "the module was not built");
    target.join("wasm32-unknown-unknown/release/law_wasm.wasm")
}

/// The module's answers, one for each line.
fn host(module: &Path, lines: Vec<String>) -> Vec<String> {
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("host.mjs");
    let started = Command::new("node").arg(host).arg(module).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = started.expect("Node.js runs");
    let (stdin, stdout) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    // From another thread: neither side may wait for the other.
    let writer = thread::spawn(move || {
        let mut stdin = BufWriter::new(stdin);
        lines.iter().try_for_each(|line| writeln!(stdin, "{line}")).and_then(|()| stdin.flush())
    });
    let answers = BufReader::new(stdout).lines().map(|line| line.expect("UTF-8")).collect();
    assert!(child.wait().expect("it was started").success(), "the host failed");
    writer.join().expect("no panic").expect("the host reads all");
    answers
}

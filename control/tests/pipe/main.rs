//! A pipe under garbage: one answer a line, an error that says what is wrong, and a loop that a refused line did not touch.

mod garbage;

use control::control_loop::{ControlLoop, Effect, Input};
use control::controllers::catalog;
use control::pipe::Pipe;
use control::plugin::PluginSpec;
use control::simulator::grid::{self, Set};
use control::simulator::run;
use serde_json::{Value, json};

/// Lines of all laws together, a quarter of a minute's; `ASPERATHOS_FUZZ_LINES` at build time asks for more.
const LINES: usize = if cfg!(debug_assertions) { 50_000 } else { 200_000 };
/// After so many a fresh loop begins: one that was told of a far moment takes nothing any more.
const STORY: usize = 80;

fn lines() -> usize {
    option_env!("ASPERATHOS_FUZZ_LINES").map_or(LINES, |lines| lines.parse().expect("a number of lines"))
}

fn pipe(kind: &str, memory: Option<Value>) -> Pipe {
    Pipe::new(ControlLoop::new("pipe", &PluginSpec::new(kind, json!({})), 1, memory).unwrap_or_else(|errors| panic!("{kind}: {errors:?}")))
}

/// What a law was told in short jobs of the grid; small lines, for many are tried.
fn recorded(kind: &str) -> Vec<Vec<String>> {
    let mut stories = Vec::new();
    for number in 0.. {
        let set = [Set::Plain, Set::Disturbed, Set::Infeasible][number as usize % 3];
        let mut job = grid::job(set, grid::TUNING, number);
        if 200 < job.prepared.world.items_s.len() || 12 < job.prepared.scenario.replicas.max {
            continue;
        }
        job.prepared.scenario.tick_s = job.prepared.scenario.deadline_s / 60.0;
        let mut story = Vec::new();
        let mut trace = |input: &Input, _: &[Effect]| story.push(serde_json::to_string(input).expect("plain data"));
        run::simulate(&job.prepared, &PluginSpec::new(kind, json!({})), Some(&mut trace)).expect("a law");
        stories.push(story);
        if stories.len() == 6 {
            break;
        }
    }
    stories
}

/// A bare observation begins with its time.
fn bare(line: &str) -> &str {
    line.strip_prefix("{\"seen\":").and_then(|line| line.strip_suffix('}')).unwrap_or(line)
}

/// Good lines with bad ones between them. A second loop is told only what the first one took: were a refused line
/// to leave a trace in it, their answers would part.
fn garbage(kind: &str, lines: usize) {
    let stories = recorded(kind);
    let mut random = garbage::seeded(lines as u64);
    let (mut sent, mut refused) = (0, 0);
    while sent < lines {
        let story = &stories[random.below(stories.len())];
        let from = random.below(story.len());
        let (mut pestered, mut spared) = (pipe(kind, None), pipe(kind, None));
        let mut number = 0;
        for good in story[from..].iter().take(STORY) {
            let good = if random.below(2) == 0 { bare(good) } else { good };
            let mut batch: Vec<_> = (0..random.below(8)).map(|_| garbage::line(good, &mut random)).collect();
            batch.push(good.as_bytes().to_vec());
            for line in batch {
                number += 1;
                sent += 1;
                refused += usize::from(told(&mut pestered, &mut spared, &line, number));
            }
        }
        let memory = pestered.control().memory();
        assert_eq!(memory, spared.control().memory(), "{kind}");
        // What it remembers can be taken up again.
        let text = memory.to_string();
        let read = serde_json::from_str(&text).expect("memory is JSON");
        let again = pipe(kind, Some(read)).control().memory();
        assert_eq!(again.to_string(), text, "{kind}");
    }
    eprintln!("{kind}: {sent} lines, {refused} refused");
    assert!(sent / 10 < refused && refused < sent, "{kind}: {refused} of {sent} lines were refused");
}

/// Whether the line was refused.
fn told(pestered: &mut Pipe, spared: &mut Pipe, line: &[u8], number: u64) -> bool {
    let shown = || String::from_utf8_lossy(&line[..line.len().min(2000)]).into_owned();
    let Some(answer) = pestered.take(line) else {
        assert!(line.trim_ascii().is_empty(), "no answer to {}", shown());
        return false;
    };
    assert!(!answer.contains('\n'), "more than one line for {}: {answer}", shown());
    if let Ok(effects) = serde_json::from_str::<Vec<Effect>>(&answer) {
        assert_eq!(spared.take(line), Some(answer), "{}", shown());
        assert!(effects.iter().all(finite), "{effects:?} for {}", shown());
        return false;
    }
    let error: Value = serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer} for {}", shown()));
    let error = error.get("error").unwrap_or_else(|| panic!("{answer} for {}", shown()));
    assert_eq!(error["line"], number, "{answer} for {}", shown());
    let message = error["message"].as_str().unwrap_or_default();
    assert!(!message.is_empty(), "{answer} for {}", shown());
    // A line that is JSON has a wrong place in it, by its path or by its name in the message; only of one that is no
    // input at all there is none.
    let whole = serde_json::from_slice::<Value>(line).map_or(true, |value| !known(&value));
    let field = error["field"].as_str().unwrap_or_default();
    assert!(whole || !field.is_empty() || message.contains('`'), "{answer} for {}", shown());
    true
}

/// What follows from a decision must be a number, and a forecast in its order.
fn finite(effect: &Effect) -> bool {
    let Effect::Decided(decision) = effect else { return true };
    let numbers = decision.terms.iter().map(|term| term.value).chain([decision.wanted, decision.seen]);
    let sound = decision.forecast.is_none_or(|forecast| {
        let ordered = forecast.p5_ms <= forecast.p50_ms && forecast.p50_ms <= forecast.p95_ms;
        ordered && (0.0..=1.0).contains(&forecast.p_meet) && forecast.replica_seconds.is_finite()
    });
    sound && !decision.why.is_empty() && numbers.into_iter().all(f64::is_finite)
}

fn known(value: &Value) -> bool {
    let Value::Object(map) = value else { return false };
    let named = ["seen", "blind", "retuned", "moved", "refused"].iter().any(|name| map.get(*name).is_some_and(Value::is_object));
    map.len() == 1 && named || map.contains_key("at_ms") && map.contains_key("items")
}

#[test]
fn an_error_names_the_place() {
    let mut pipe = pipe("threshold", None);
    for (line, field) in [
        (r#"{"at_ms": 5, "items": {}}"#, "seen"),
        (r#"{"seen": {"at_ms": 5}}"#, "seen"),
        (r#"{"at_ms": 5, "items": {}, "bounds": {"min": 1}}"#, "bounds"),
        (r#"{"seen": {"at_ms": 5, "items": {}, "bounds": {"min": 3, "max": 1}}}"#, "bounds.min"),
        (r#"{"at_ms": 5, "items": {}, "bounds": {"min": 1, "max": 1}, "completions": [{"service_ms": ""}]}"#, "completions[0].service_ms"),
        (r#"{"at_ms": 9007199254740993, "items": {}, "bounds": {"min": 1, "max": 1}}"#, "at_ms"),
        (r#"{"moved": {"at_ms": 5}}"#, "moved"),
        (r#"{"moved": {"at_ms": 5, "to": -1}}"#, "moved.to"),
        (r#"{"retuned": {"at_ms": 5, "revision": "a", "params": {}}}"#, "retuned.revision"),
        (r#"{"unheard": {}}"#, ""),
        ("[", ""),
    ] {
        let answer: Value = serde_json::from_str(&pipe.take(line.as_bytes()).expect("no blank line")).expect("JSON");
        assert_eq!(answer["error"]["field"], field, "{answer} for {line}");
    }
}

#[test]
fn garbage_between_good_lines_is_refused_and_leaves_no_trace() {
    for entry in catalog() {
        garbage(entry.kind, lines() / catalog().len());
    }
}

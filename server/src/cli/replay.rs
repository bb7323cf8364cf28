//! `asperathos replay JOB`: asks the law of a recorded job again and compares, or says what another one would have done.

use std::io::Write;

use clap::{Args, ValueEnum};
use control::live::JobDetail;
use control::plugin::{PluginSpec, sentences};
use reqwest::Method;
use serde_json::{Value, json};

use super::input::{self, InputError};
use super::remote::{Answer, ReachError, Remote};
use crate::recorder::Line;
use crate::recorder::replay::{Count, Replay};
use crate::recorder::what_if::{Course, Otherwise, WhatIfError, deadline_s, finish_s, most_replicas, what_if};

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The job's id.
    job: String,
    /// Which of its control loops; without it the first.
    #[arg(long = "loop")]
    loop_name: Option<String>,
    /// What would have been under this law?
    #[arg(long)]
    controller: Option<String>,
    /// … with these params, as JSON or @FILE; without --controller of the law that it had.
    #[arg(long)]
    params: Option<String>,
    /// … with this deadline, seconds from the job's start?
    #[arg(long, value_parser = deadline_s)]
    deadline_s: Option<f64>,
    /// … with so many replicas at most?
    #[arg(long, value_parser = most_replicas)]
    max: Option<u32>,
    /// Prints what the loop was told, for `asperathos law`, or what it answers now.
    #[arg(long, value_enum)]
    print: Option<Side>,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Side {
    Inputs,
    Answers,
}

#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Reach(#[from] ReachError),
    #[error("the server does not tell: {0}")]
    Refused(String),
    #[error("job {job} has no loop {name}; it has {known}")]
    NoLoop { job: String, name: String, known: String },
    #[error("line {number} of the recording cannot be read")]
    Line {
        number: usize,
        #[source]
        cause: serde_json::Error,
    },
    #[error("{0}")]
    Law(String),
    #[error(transparent)]
    WhatIf(#[from] WhatIfError),
    #[error(
        "{different} of {inputs} answers are other bytes than they were, the first {at_s} s after the job's start; a newer version of a law may decide otherwise"
    )]
    Different { different: u64, inputs: u64, at_s: f64 },
    #[error("could not print")]
    Print(#[from] std::io::Error),
}

pub async fn run(args: ReplayArgs) -> Result<(), ReplayError> {
    let params = args.params.as_deref().map(input::argument).transpose()?;
    let detail: JobDetail = serde_json::from_str(&ask(&args, "").await?).map_err(|cause| ReplayError::Line { number: 0, cause })?;
    let known: Vec<&str> = detail.spec.loops.iter().map(|one| one.name.as_str()).collect();
    let name = args.loop_name.as_deref().or(known.first().copied()).unwrap_or_default();
    if !known.contains(&name) {
        return Err(ReplayError::NoLoop { job: args.job.clone(), name: name.to_owned(), known: known.join(", ") });
    }
    let recording = ask(&args, &format!("/loops/{name}/recording")).await?;
    if recording.is_empty() {
        return Err(WhatIfError::Empty.into());
    }
    let read = |(place, text)| serde_json::from_str(text).map_err(|cause| ReplayError::Line { number: place + 1, cause });
    let lines = recording.lines().enumerate().map(read).collect::<Result<Vec<Line>, _>>()?;
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    if args.controller.is_none() && params.is_none() && args.deadline_s.is_none() && args.max.is_none() {
        return again(&lines, name, args.print, &mut output);
    }
    let had = lines.iter().find_map(|line| match line {
        Line::Began(stand) => Some(stand.kind.as_str()),
        Line::Stood(_) | Line::Told { .. } => None,
    });
    let controller = (args.controller.is_some() || params.is_some()).then(|| {
        let kind = args.controller.as_deref().or(had).unwrap_or_default();
        PluginSpec::new(kind, params.unwrap_or_else(|| json!({})))
    });
    let otherwise = Otherwise { controller, deadline_s: args.deadline_s, max: args.max };
    table(&what_if(&lines, finish_s(&detail.summary), Some(&otherwise))?, &mut output)?;
    Ok(())
}

async fn ask(args: &ReplayArgs, path: &str) -> Result<String, ReplayError> {
    let door = args.remote.door()?;
    let Answer { ok, text } = door.send(door.ask(Method::GET, &format!("/api/v1/jobs/{}{path}", args.job))).await?;
    if ok {
        return Ok(text);
    }
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    Err(ReplayError::Refused(value["errors"][0]["message"].as_str().unwrap_or(&text).to_owned()))
}

fn again(lines: &[Line], name: &str, print: Option<Side>, output: &mut impl Write) -> Result<(), ReplayError> {
    let mut replay = Replay::new(name);
    for line in lines {
        let Some((told, answered)) = replay.play(line).map_err(|errors| ReplayError::Law(sentences(&errors)))? else { continue };
        match print {
            None => {}
            Some(Side::Inputs) => writeln!(output, "{}", json!(told))?,
            Some(Side::Answers) => writeln!(output, "{}", json!(answered))?,
        }
    }
    let Count { inputs, decisions, moves, starts, different, first_different_ms } = replay.count;
    if let Some(at_ms) = first_different_ms {
        output.flush()?;
        return Err(ReplayError::Different { different, inputs, at_s: at_ms as f64 / 1000.0 });
    }
    if print.is_none() {
        let again = if starts == 1 { String::new() } else { format!(", {starts} starts") };
        writeln!(output, "Loop {name}: {inputs} inputs, {decisions} decisions, {moves} moves{again}: every answer is the same as it was.")?;
    }
    output.flush()?;
    Ok(())
}

fn table(courses: &[Course], output: &mut impl Write) -> std::io::Result<()> {
    writeln!(
        output,
        "{:<22} {:>9} {:>10} {:>8} {:>16} {:>5} {:>6}",
        "", "done", "deadline", "in time", "replica-seconds", "peak", "moves"
    )?;
    let time = |seconds: Option<f64>| seconds.map_or_else(|| "never".to_owned(), |seconds| format!("{seconds:.1} s"));
    for course in courses {
        let in_time = match course.in_time() {
            Some(true) => "yes",
            Some(false) => "no",
            None => "",
        };
        writeln!(
            output,
            "{:<22} {:>9} {:>10} {in_time:>8} {:>16.1} {:>5} {:>6}",
            course.name,
            time(course.finish_s),
            course.deadline_s.map_or_else(String::new, |seconds| format!("{seconds:.1} s")),
            course.replica_seconds,
            course.peak,
            course.moves
        )?;
    }
    output.flush()
}

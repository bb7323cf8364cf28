//! `asperathos simulate`: jobs from scenario files, each under a law, event by event and without a server.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use control::control_loop::{Effect, Input};
use control::plugin::{FieldError, PluginSpec, sentences};
use control::simulator::report::list;
use control::simulator::run::{self, Prepared};
use control::simulator::scenario::Scenario;
use control::simulator::score::RunResult;
use serde::Serialize;
use serde_json::Value;

use super::input::{self, InputError};
use crate::words::chain;

#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Scenario files; - is standard input.
    #[arg(required = true)]
    scenarios: Vec<PathBuf>,
    /// This law in place of the scenario's.
    #[arg(long)]
    controller: Option<String>,
    /// Its params as JSON, or @FILE; without --controller those of the scenario's law.
    #[arg(long)]
    params: Option<String>,
    /// This seed in place of the scenario's.
    #[arg(long)]
    seed: Option<u64>,
    /// Every input of the loop and its effects, one JSON object a line.
    #[arg(long)]
    trace: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Json,
    Csv,
}

#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("{path}: {problems}")]
    Scenario { path: String, problems: String },
    #[error("{0}")]
    Scenarios(String),
    #[error("could not write {path}")]
    Write { path: String, source: std::io::Error },
}

pub fn run(args: &SimulateArgs) -> Result<(), SimulateError> {
    let params = args.params.as_deref().map(input::argument).transpose()?;
    let mut trace = args.trace.as_ref().map(Trace::create).transpose()?;
    // All are read before one is run: all problems come at once.
    let scenarios: Vec<_> = args.scenarios.iter().map(|path| scenario(args, params.as_ref(), path)).collect();
    let problems: Vec<_> = scenarios.iter().filter_map(|read| read.as_ref().err()).map(|error| chain(error)).collect();
    if !problems.is_empty() {
        return Err(SimulateError::Scenarios(problems.join("\n")));
    }
    let mut results = Vec::new();
    for scenario in scenarios.into_iter().flatten() {
        let (name, spec) = (scenario.name.clone(), scenario.controller.clone());
        let prepared = Prepared::new(scenario);
        let mut tell = |input: &Input, effects: &[Effect]| {
            if let Some(trace) = &mut trace {
                trace.line(&prepared.scenario.name, input, effects);
            }
        };
        let tell = args.trace.is_some().then_some(&mut tell as run::Trace<'_>);
        let wrong = |errors: Vec<FieldError>| SimulateError::Scenario { path: name, problems: sentences(&errors) };
        results.push(run::simulate(&prepared, &spec, tell).map_err(wrong)?);
    }
    trace.map_or(Ok(()), Trace::close)?;
    print(&results, args.format).map_err(|source| SimulateError::Write { path: "standard output".to_owned(), source })
}

/// One scenario file with what the command line puts in place of its own.
fn scenario(args: &SimulateArgs, params: Option<&Value>, path: &Path) -> Result<Scenario, SimulateError> {
    let name = path.display().to_string();
    let wrong = |errors: Vec<FieldError>| SimulateError::Scenario { path: name.clone(), problems: sentences(&errors) };
    let mut scenario = Scenario::parse(&input::text(path)?).map_err(wrong)?;
    if scenario.name.is_empty() {
        scenario.name = path.file_stem().map_or_else(|| name.clone(), |stem| stem.to_string_lossy().into_owned());
    }
    scenario.seed = args.seed.unwrap_or(scenario.seed);
    if let Some(kind) = &args.controller {
        scenario.controller = PluginSpec::new(kind, Value::Object(serde_json::Map::new()));
    }
    if let Some(params) = params {
        scenario.controller.params = params.clone();
    }
    Ok(scenario)
}

fn print(results: &[RunResult], format: Format) -> std::io::Result<()> {
    let text = match format {
        Format::Table => list::table(results),
        Format::Json => serde_json::to_string_pretty(results)? + "\n",
        Format::Csv => list::csv(results),
    };
    std::io::stdout().write_all(text.as_bytes())
}

/// The first error is kept, and told at the end: the simulator has no way to stop for it.
struct Trace {
    path: String,
    file: BufWriter<File>,
    failed: Option<std::io::Error>,
}

#[derive(Serialize)]
struct Line<'a> {
    scenario: &'a str,
    input: &'a Input,
    effects: &'a [Effect],
}

impl Trace {
    fn create(path: &PathBuf) -> Result<Self, SimulateError> {
        let shown = path.display().to_string();
        match File::create(path) {
            Ok(file) => Ok(Self { path: shown, file: BufWriter::new(file), failed: None }),
            Err(source) => Err(SimulateError::Write { path: shown, source }),
        }
    }

    fn line(&mut self, scenario: &str, input: &Input, effects: &[Effect]) {
        if self.failed.is_some() {
            return;
        }
        let written = serde_json::to_writer(&mut self.file, &Line { scenario, input, effects }).map_err(std::io::Error::from);
        self.failed = written.and_then(|()| self.file.write_all(b"\n")).err();
    }

    fn close(mut self) -> Result<(), SimulateError> {
        let flushed = self.file.flush().err();
        self.failed.or(flushed).map_or(Ok(()), |source| Err(SimulateError::Write { path: self.path, source }))
    }
}

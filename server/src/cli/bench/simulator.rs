//! `asperathos bench simulator`: how many simulated jobs a second one core plays.

use std::io::Write as _;

use control::plugin::PluginSpec;
use control::simulator::run::{self, Prepared, Stopwatch as _};
use control::simulator::scenario::Scenario;
use serde_json::json;

use super::stopwatch::CpuStopwatch;

/// The order of the jobs of the published experiments: 1 000 items, half an hour, a look every second.
const JOB: &str = r#"{"items": {"count": 1000, "service_s": {"lognormal": {"mean": 12, "cv": 1.0}}}, "deadline_s": 1800,
    "replicas": {"min": 1, "max": 20}, "startup_s": {"constant": 5}}"#;

/// Enough that both are measured for seconds.
const JOBS: [(&str, u64); 2] = [("threshold", 3000), ("deadline", 200)];

/// Prints the table as Markdown. Drawing the job and hindsight are part of the time.
pub fn run() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "| Law | jobs | deadlines met | looks a job | ms a job | jobs a second |")?;
    writeln!(out, "| --- | ---: | ---: | ---: | ---: | ---: |")?;
    for (kind, jobs) in JOBS {
        let spec = PluginSpec::new(kind, json!({}));
        let mut watch = CpuStopwatch::default();
        let (mut met, mut looks) = (0, 0);
        for seed in 0..jobs {
            let result = watch.time(|| {
                let scenario = Scenario::parse(JOB).expect("it is written above");
                run::simulate(&Prepared::new(Scenario { seed, ..scenario }), &spec, None).expect("defaults fit")
            });
            met += u64::from(result.met);
            looks += result.ticks;
        }
        let each_ms = watch.mean_us() / 1000.0;
        writeln!(out, "| `{kind}` | {jobs} | {met} | {} | {each_ms:.2} | {:.0} |", looks / jobs, 1000.0 / each_ms)?;
    }
    Ok(())
}

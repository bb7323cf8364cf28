//! `cargo xtask test`: everything that must hold before a change is good, with one sum at the end.
//! A failing step does not stop the others, so that one run tells everything.

use anyhow::{Result, bail};

use crate::build::{browser_part, page_files};
use crate::cluster;
use crate::end2end::{npx, playwright};
use crate::setup::{Need, set_up};
use crate::site::sizes;
use crate::steps::{Outcome, Show, Steps};
use crate::tree::cargo;

/// The WebAssembly, compressed with brotli. How it stays below: docs/decisions/0009.
const WASM_LIMIT_BYTES: u64 = 400_000;

/// How a test says that this machine cannot run it; the sum repeats the reason.
pub const NOT_TESTED: &str = "NOT TESTED: ";

const XTASK: [&str; 4] = ["--manifest-path", "xtask/Cargo.toml", "--target-dir", "target/xtask"];

pub fn test(with_cluster: bool) -> Result<()> {
    let mut steps = Steps::new(14 + usize::from(with_cluster));
    let mut sum = Sum::default();
    set_up(&mut steps, Need::Test)?;

    sum.check(&steps.run("format", &mut cargo(&["fmt", "--all", "--check"]), Show::Progress)?);
    let lints = ["--", "-D", "warnings"];
    sum.check(&steps.run("lints of the server", cargo(&["clippy", "--workspace", "--all-targets"]).args(lints), Show::Progress)?);
    sum.check(
        &steps.run(
            "lints of the browser part",
            cargo(&["clippy", "-p", "app", "--lib", "--target", "wasm32-unknown-unknown"])
                .args(["--no-default-features", "--features", "hydrate", "--target-dir", "target/front"])
                .args(lints),
            Show::Progress,
        )?,
    );
    sum.tests(&steps.run("tests of the workspace", &mut cargo(&["test", "--workspace", "--no-fail-fast"]), Show::Output)?);

    // The law once more, in WebAssembly.
    let same = ["test", "-p", "law-wasm", "--", "--ignored", "--nocapture"];
    sum.tests(&steps.run("native and WebAssembly", &mut cargo(&same), Show::Output)?);

    // Its own tools.
    sum.check(&steps.run("format of xtask", &mut cargo(&["fmt", "--manifest-path", "xtask/Cargo.toml", "--check"]), Show::Progress)?);
    sum.check(&steps.run(
        "lints of xtask",
        cargo(&["clippy"]).args(XTASK).args(["--all-targets", "--all-features"]).args(lints),
        Show::Progress,
    )?);
    sum.tests(&steps.run("tests of xtask", cargo(&["test"]).args(XTASK).arg("--all-features"), Show::Output)?);

    sum.check(&steps.run("types of the browser tests", &mut npx("tsc"), Show::Progress)?);

    // A browser, a server, and the whole story between them.
    let front = browser_part(&mut steps)?;
    sum.check(&front);
    let page = if front.ok { page_files(&mut steps).and_then(|()| page_size()) } else { Err(anyhow::anyhow!("no browser part")) };
    if let Err(error) = &page {
        eprintln!("{error:#}");
    }
    sum.count(page.is_ok());
    let server = steps.run("server for the browser tests", &mut cargo(&["build", "-p", "server", "-p", "mandelbrot"]), Show::Progress)?;
    sum.check(&server);
    if front.ok && server.ok {
        sum.tests(&steps.run("browser tests", &mut playwright(&[])?, Show::Output)?);
    } else {
        eprintln!("browser tests: not run, as there is nothing to run them on");
        sum.count(false);
    }

    // A real Kubernetes, compiled the first time.
    if with_cluster {
        sum.tests(&steps.run("Kubernetes", &mut cluster::test()?, Show::Output)?);
    } else {
        sum.not_tested.push("jobs on Kubernetes; cargo xtask test --cluster does it too".to_owned());
    }

    println!("\n{} passed, {} failed, in {}", sum.passed, sum.failed, steps.took());
    for reason in &sum.not_tested {
        println!("{NOT_TESTED}{reason}");
    }
    if 0 < sum.failed { bail!("some checks failed") } else { Ok(()) }
}

fn page_size() -> Result<()> {
    let sizes = sizes()?;
    let total: u64 = sizes.iter().map(|size| size.brotli).sum();
    let wasm: u64 = sizes.iter().filter(|size| size.name.ends_with(".wasm")).map(|size| size.brotli).sum();
    eprintln!(
        "WebAssembly: {} kB compressed, at most {} kB; with glue and style {} kB",
        wasm / 1000,
        WASM_LIMIT_BYTES / 1000,
        total / 1000
    );
    if WASM_LIMIT_BYTES < wasm { bail!("the WebAssembly is too large") } else { Ok(()) }
}

/// Checks count as one, tests as themselves.
#[derive(Default)]
struct Sum {
    passed: u64,
    failed: u64,
    not_tested: Vec<String>,
}

impl Sum {
    fn count(&mut self, ok: bool) {
        if ok { self.passed += 1 } else { self.failed += 1 }
    }

    fn check(&mut self, outcome: &Outcome) {
        self.count(outcome.ok);
    }

    fn tests(&mut self, outcome: &Outcome) {
        let (passed, failed) = count_tests(&outcome.lines);
        self.passed += passed;
        self.not_tested.extend(outcome.lines.iter().filter_map(|line| line.strip_prefix(NOT_TESTED)).map(str::to_owned));
        // A run that fails without a failing test did not even compile.
        self.failed += if outcome.ok { failed } else { failed.max(1) };
    }
}

/// Sums cargo's `test result: ok. 3 passed; 1 failed; …` and Playwright's `  3 passed (4.5s)`, `  1 failed`.
fn count_tests(lines: &[String]) -> (u64, u64) {
    let (mut passed, mut failed) = (0, 0);
    for line in lines {
        let line = line.trim_start();
        let counts = match line.strip_prefix("test result: ") {
            Some(counts) => counts.trim_start_matches("ok. ").trim_start_matches("FAILED. "),
            None => line,
        };
        for part in counts.split(';') {
            let mut words = part.split_whitespace();
            let Some(Ok(count)) = words.next().map(str::parse::<u64>) else { continue };
            let after = words.next();
            if words.next().is_some_and(|third| !third.starts_with('(')) {
                continue;
            }
            match after {
                Some("passed") => passed += count,
                Some("failed") => failed += count,
                _ => {}
            }
        }
    }
    (passed, failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_of_cargo_and_of_playwright_are_summed() {
        let lines = [
            "running 4 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
            "  1 failed",
            "    tests/story.spec.ts:10:1 › the whole story",
            "  7 passed (12.3s)",
            "  9 passed tests would be too many here",
        ]
        .map(str::to_owned);
        assert_eq!(count_tests(&lines), (15, 3));
    }

    #[test]
    fn a_run_that_did_not_compile_is_a_failure() {
        let mut sum = Sum::default();
        sum.tests(&Outcome { ok: false, lines: vec!["error: expected `;`".to_owned()] });
        assert_eq!((sum.passed, sum.failed), (0, 1));
    }

    #[test]
    fn what_was_not_tested_is_told_again() {
        let mut sum = Sum::default();
        let lines = [format!("{NOT_TESTED}no root"), "3 passed".to_owned()];
        sum.tests(&Outcome { ok: true, lines: lines.into() });
        assert_eq!((sum.passed, sum.failed, sum.not_tested), (3, 0, vec!["no root".to_owned()]));
    }
}

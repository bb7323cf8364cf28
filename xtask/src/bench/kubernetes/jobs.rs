//! The 55 jobs that the original was measured with, rebuilt: same items, bounds and deadlines, three at a time.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::Site;
use super::api::now_ms;
use crate::bench::median;

const AT_ONCE: usize = 3;
/// A job that takes longer than so many of its deadlines hangs.
const PATIENCE: f64 = 6.0;
/// How often a job is asked whether it is over.
const PAUSE: Duration = Duration::from_millis(25);

/// Who controls, how many jobs, and what their worker does when it is asked to end.
const GROUPS: [(&str, &str, usize); 7] = [
    ("constant half", "ignore", 4),
    ("deadline", "ignore", 18),
    ("deadline", "end", 15),
    ("threshold", "ignore", 3),
    ("threshold", "end", 3),
    ("pid", "ignore", 8),
    ("pid", "end", 4),
];

/// The original on the same machine kind, as it was measured: group, jobs, met, finish ÷ deadline, live ÷ work, changes,
/// reversals, requeued, items twice.
const ORIGINAL: [&str; 7] = [
    "constant half (no control) | 4 | 4 | 0.87 | 1.05 | 0 | 0 | 0 | 0",
    "`default`, worker ignores TERM | 18 | 17 | 0.73 | 1.12 | 9.0 | 0.9 | 6 | 1",
    "`default`, worker ends at TERM | 15 | 4 | 1.04 | 1.23 | 16.8 | 2.3 | 111 | 4",
    "`pid` 0.1/0/0 (the documented gains) | 4 | 0 | 3.37 | 1.01 | 0 | 0 | 0 | 0",
    "`pid` 0.1/0.1/0.1 | 2 | 0 | 1.43 | 1.10 | 7.0 | 0 | 0 | 0",
    "`pid` 10/0/0, 10/10/10, 10/20/0, worker ignores TERM | 8 | 8 | 0.74 | 1.09 | 7.0 | 0.8 | 0 | 0",
    "`pid` 10/0/0, 10/10/10, worker ends at TERM | 4 | 0 | 1.14 | 1.15 | 10.5 | 1.5 | 24 | 0",
];

struct Case {
    group: usize,
    items_s: Vec<f64>,
    max: u32,
    deadline_s: f64,
}

#[derive(Debug, Clone, Default)]
struct Course {
    group: usize,
    /// Shares of the deadline and of the work.
    finish: f64,
    live: f64,
    changes: usize,
    reversals: usize,
    requeued: u64,
    twice: usize,
    to_job_ms: i64,
    to_status_ms: i64,
}

/// `share` of the jobs of each group, at least one.
pub fn measure(site: &Site, share: f64) -> Result<String> {
    let cases = cases(share);
    let total = cases.len();
    let (waiting, done) = (Mutex::new(VecDeque::from(cases)), Mutex::new(Vec::new()));
    let lock = |held: &Mutex<VecDeque<Case>>| held.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    thread::scope(|scope| -> Result<()> {
        let work = || -> Result<()> {
            while let Some(case) = lock(&waiting) {
                let course = run(site, &case)?;
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                done.push(course.clone());
                eprintln!(
                    "{}/{total} {} {} items, max {}: {:.2} of the deadline, {:.3} of the work, {} changes, {} reversals, requeued {}, twice {}; Job after {} ms, status after {} ms",
                    done.len(),
                    name(case.group),
                    case.items_s.len(),
                    case.max,
                    course.finish,
                    course.live,
                    course.changes,
                    course.reversals,
                    course.requeued,
                    course.twice,
                    course.to_job_ms,
                    course.to_status_ms
                );
            }
            Ok(())
        };
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow::anyhow!("a job's thread failed"))?)
    })?;
    Ok(page(&done.into_inner().unwrap_or_else(PoisonError::into_inner)))
}

fn name(group: usize) -> String {
    match GROUPS[group] {
        ("constant half", ..) => "constant half (no control)".to_owned(),
        (law, "ignore", _) => format!("`{law}`, worker ignores TERM"),
        (law, ..) => format!("`{law}`, worker ends at TERM"),
    }
}

fn cases(share: f64) -> Vec<Case> {
    let mut random = Random(55);
    let mut cases = Vec::new();
    for (group, (_, _, jobs)) in GROUPS.iter().enumerate() {
        for number in 0..((*jobs as f64 * share).round() as usize).max(1) {
            let (count, mean_s, max) = if number % 5 == 4 { (150, 2.0, 10) } else { (120, 1.5, 8) };
            let items_s = if number % 2 == 0 { vec![mean_s; count] } else { random.lognormal(mean_s, count) };
            let longest = items_s.iter().copied().fold(0.0, f64::max);
            let deadline_s = mean_s * count as f64 / f64::from(max / 2) + longest + 4.0;
            cases.push(Case { group, items_s, max, deadline_s });
        }
    }
    cases
}

fn run(site: &Site, case: &Case) -> Result<Course> {
    let (law, on_term, _) = GROUPS[case.group];
    let (min, initial, max, loops) = match law {
        "constant half" => (case.max / 2, case.max / 2, case.max / 2, json!([])),
        law => (1, 1, case.max, json!([{ "name": "pace", "controller": { "kind": law } }])),
    };
    let items: Vec<String> = case.items_s.iter().enumerate().map(|(item, seconds)| format!("sleep:{seconds:.4}:{item}")).collect();
    let mut body = site.job(&name(case.group), &items);
    body["platform"]["params"]["env"] = json!({ "ON_TERM": on_term });
    body["objective"] = json!({ "deadline_s": case.deadline_s });
    body["replicas"] = json!({ "min": min, "max": max, "initial": initial });
    body["loops"] = loops;
    let posted = now_ms();
    let id = site.submit(&body)?;
    let begun = Instant::now();
    loop {
        let phase = site.phase(&id)?;
        if phase == "completed" {
            break;
        }
        if phase == "failed" || PATIENCE * case.deadline_s < begun.elapsed().as_secs_f64() {
            bail!("job {id} of {} is {phase}: {}", name(case.group), site.server.get(&format!("/api/v1/jobs/{id}"))?["summary"]);
        }
        thread::sleep(PAUSE);
    }
    let over = now_ms();
    // What still runs is counted until its end.
    let begun = Instant::now();
    while site.seen.known().pods.values().any(|pod| pod.job == id && pod.ended.is_none()) && begun.elapsed() < Duration::from_secs(60) {
        thread::sleep(PAUSE);
    }
    let made = site.seen.known().jobs.get(&id).context("the Job was never seen")?.made;
    let done = done(site, &id)?;
    let last = done.values().map(|(_, at)| *at).max().context("nothing was done")?;
    if done.len() != items.len() {
        bail!("job {id}: {} of {} items were done", done.len(), items.len());
    }
    let moves = site.moves(&id)?;
    let up: Vec<bool> = moves.iter().map(|(_, from, to)| from < to).collect();
    let work_s: f64 = case.items_s.iter().sum();
    Ok(Course {
        group: case.group,
        finish: (last - made) as f64 / 1000.0 / case.deadline_s,
        live: site.seen.known().live_s(&id) / work_s,
        changes: moves.len(),
        reversals: up.windows(2).filter(|pair| pair[0] != pair[1]).count(),
        requeued: site.requeued(&id)?,
        twice: done.values().filter(|(times, _)| 1 < *times).count(),
        to_job_ms: made - posted,
        to_status_ms: over - last,
    })
}

/// How often each item was done, and when last, by what the workers themselves wrote.
pub fn done(site: &Site, id: &str) -> Result<BTreeMap<String, (usize, i64)>> {
    let mut done: BTreeMap<String, (usize, i64)> = BTreeMap::new();
    for folder in fs::read_dir(site.server.data.join(format!("jobs/{id}/replicas")))? {
        let text = fs::read_to_string(folder?.path().join("stdout.log")).unwrap_or_default();
        for line in text.lines().filter_map(|line| line.strip_prefix("did ")) {
            let Some((item, at)) = line.split_once(" at ") else { continue };
            let at = at.parse::<f64>().map_or(0, |at| (at * 1000.0) as i64);
            let known = done.entry(item.to_owned()).or_default();
            *known = (known.0 + 1, known.1.max(at));
        }
    }
    Ok(done)
}

fn page(courses: &[Course]) -> String {
    let mut table = "| Group | jobs | met | finish ÷ deadline | live ÷ work | changes | reversals | requeued | items twice |\n\
                     | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        .to_owned();
    for group in 0..GROUPS.len() {
        let of: Vec<&Course> = courses.iter().filter(|course| course.group == group).collect();
        let mean = |value: &dyn Fn(&Course) -> f64| of.iter().map(|course| value(course)).sum::<f64>() / of.len().max(1) as f64;
        table.push_str(&format!(
            "| **{}** | {} | {} | {:.2} | {:.3} | {:.1} | {:.1} | {} | {} |\n",
            name(group),
            of.len(),
            of.iter().filter(|course| course.finish <= 1.0).count(),
            mean(&|course| course.finish),
            mean(&|course| course.live),
            mean(&|course| course.changes as f64),
            mean(&|course| course.reversals as f64),
            of.iter().map(|course| course.requeued).sum::<u64>(),
            of.iter().map(|course| course.twice).sum::<usize>()
        ));
    }
    ORIGINAL.iter().for_each(|row| table.push_str(&format!("| original: {row} |\n")));
    let law: Vec<&Course> = courses.iter().filter(|course| GROUPS[course.group].0 == "deadline").collect();
    let worst = |value: &dyn Fn(&Course) -> f64| law.iter().map(|course| value(course)).fold(0.0, f64::max);
    table.push_str(&format!(
        "\nUnder `deadline` **{} of {}** deadlines were met, the latest at {:.2} of it. Goals: all; live ÷ work at most 1.05, at most 2 reversals, \
         nothing requeued, nothing twice. The worst job had live ÷ work {:.3} and {:.0} reversals.\n",
        law.iter().filter(|course| course.finish <= 1.0).count(),
        law.len(),
        worst(&|course| course.finish),
        worst(&|course| course.live),
        worst(&|course| course.reversals as f64)
    ));
    table.push_str("\n| From … to, over all jobs | median | worst | goal | original |\n| --- | ---: | ---: | ---: | ---: |\n");
    for (what, value, goal, original) in [
        ("POST → the Job is there", Box::new(|course: &Course| course.to_job_ms) as Box<dyn Fn(&Course) -> i64>, "0.5 s", "5.2 s"),
        ("last item done → final status", Box::new(|course: &Course| course.to_status_ms), "1 s", "4.5 s"),
    ] {
        let values: Vec<f64> = courses.iter().map(|course| value(course) as f64 / 1000.0).collect();
        let most = values.iter().copied().fold(f64::MIN, f64::max);
        table.push_str(&format!("| {what} | {:.2} s | {most:.2} s | {goal} | {original} |\n", median(values)));
    }
    format!(
        "Three jobs at a time. 120 items with a mean of 1.5 s, all alike or lognormal with a deviation as large as the mean, 1 to 8 replicas, \
         1 at the start; each fifth job 150 items of 2 s and up to 10.\n\
         The deadline is work ÷ (half of the most replicas) + the longest item + 4 s, counted from when the Job is there. Laws have their defaults.\n\
         *Live* is the time that containers run, whether or not they are on their way out; *items twice* by what the workers wrote down.\n\
         The original's rows were measured with items, bounds and deadlines of the same kind, in other hours of such a machine.\n\n{table}"
    )
}

/// SplitMix64: the same jobs each time.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// With a deviation as large as the mean, which they have just so.
    fn lognormal(&mut self, mean: f64, count: usize) -> Vec<f64> {
        let sigma = 2.0_f64.ln().sqrt();
        let mut normal = || (-2.0 * (1.0 - self.next()).ln()).sqrt() * (std::f64::consts::TAU * self.next()).cos();
        let mut items: Vec<f64> = (0..count).map(|_| (sigma * normal()).exp()).collect();
        let scale = mean * count as f64 / items.iter().sum::<f64>();
        items.iter_mut().for_each(|item| *item *= scale);
        items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_55_jobs_with_the_work_of_the_original_s() {
        let cases = cases(1.0);
        assert_eq!(cases.len(), 55);
        for case in &cases {
            let work: f64 = case.items_s.iter().sum();
            assert!((work - if case.max == 8 { 180.0 } else { 300.0 }).abs() < 1e-6);
            assert!((0.0..80.0).contains(&(case.deadline_s - work / f64::from(case.max / 2) - 4.0)));
        }
        let spread = &cases[1].items_s;
        let deviation = (spread.iter().map(|item| (item - 1.5).powi(2)).sum::<f64>() / 119.0).sqrt();
        assert!((0.6..3.0).contains(&deviation), "{deviation}");
    }
}

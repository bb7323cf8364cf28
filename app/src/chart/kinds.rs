//! The four charts of a job, built from what its page knows. One time axis goes through all of them.

use std::collections::BTreeMap;

use control::{
    job::{JobSpec, LoopSpec},
    live::{JobDetail, JobSummary, Mark, Point, Series},
};

use super::{
    forecast,
    legend::wish_look,
    marks::worth_showing,
    model::{Axis, Chart, EVEN, Layer, Shape, Span, WHOLE, line, steps, time_label, time_ticks, value_at},
    palette::Ink,
};
use crate::ui::words;

/// Series by name, oldest point first.
pub type SeriesMap = BTreeMap<String, Vec<Point>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartKind {
    Progress,
    Replicas,
    Cpu,
    Error,
}

impl ChartKind {
    pub const ALL: [Self; 4] = [Self::Progress, Self::Replicas, Self::Cpu, Self::Error];

    /// As in `/jobs/{id}/chart/{word}.svg`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Progress => "progress",
            Self::Replicas => "replicas",
            Self::Cpu => "cpu",
            Self::Error => "error",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Progress => "Progress",
            Self::Replicas => "Replicas",
            Self::Cpu => "CPU",
            Self::Error => "Error",
        }
    }

    /// CSS pixels.
    pub fn height(self) -> u32 {
        match self {
            Self::Progress => 196,
            Self::Replicas => 92,
            Self::Cpu | Self::Error => 80,
        }
    }

    /// Charts of a long job that move on by a pixel in seconds of their own share the work of painting out.
    pub fn phase(self) -> f64 {
        0.25 * f64::from(self as u8) - 0.375
    }

    /// One value as this chart's axis writes it.
    pub fn label(self, value: f64) -> String {
        match self {
            Self::Progress | Self::Replicas => words::quantity(value),
            Self::Cpu => words::percent(value),
            Self::Error => format!("{}\u{202f}%", words::number(value * 100.0, 1)),
        }
    }
}

/// How far beyond the deadline a forecast is shown, eighths of the time to it.
const AHEAD: i64 = 24;

/// How much of their inks the areas of the replicas have.
pub const RUNNING_ALPHA: f64 = 0.30;
pub const STARTING_ALPHA: f64 = 0.80;
pub const DRAINING_ALPHA: f64 = 0.75;

/// What all charts of a job are drawn from.
pub struct Facts<'a> {
    pub summary: &'a JobSummary,
    pub spec: &'a JobSpec,
    pub series: &'a SeriesMap,
    /// Oldest first.
    pub marks: &'a [Mark],
    /// Milliseconds since 1970.
    pub now: i64,
    /// Minutes east of UTC for the labels.
    pub zone: i32,
}

/// Series of a job's first answer, by name.
pub fn by_name(series: &[Series]) -> SeriesMap {
    series.iter().map(|one| (one.name.clone(), one.points.clone())).collect()
}

impl<'a> Facts<'a> {
    /// Straight from the stored detail, for exports.
    pub fn of(detail: &'a JobDetail, series: &'a SeriesMap, now: i64, zone: i32) -> Self {
        Self { summary: &detail.summary, spec: &detail.spec, series, marks: &detail.marks, now, zone }
    }

    pub fn wishers(&self) -> &'a [LoopSpec] {
        wishers(self.spec)
    }
}

/// With several loops each one's wish is told, so that one sees which of them was followed.
pub fn wishers(spec: &JobSpec) -> &[LoopSpec] {
    if spec.loops.len() > 1 { &spec.loops } else { &[] }
}

/// The time axis: from submission to the deadline, or to what came after it or will.
pub fn span(summary: &JobSummary, now: i64) -> Span {
    let whole = (summary.deadline_at - summary.submitted_at).max(50);
    // A job that ended early is shown whole; one that runs late pushes the right edge on, one that will be late too: in
    // steps, as its forecast changes every second.
    let newest = summary.ended_at.unwrap_or(now);
    let late = summary.foretold.map_or(0, |foretold| foretold.at + (foretold.at - now) / 4 - summary.deadline_at);
    let steps = if late > 0 { (8 * late / whole + 1).min(AHEAD) } else { 0 };
    Span::new(summary.submitted_at, newest.max(summary.deadline_at + steps * whole / 8) + whole / 50)
}

/// One chart.
pub fn build(kind: ChartKind, facts: &Facts) -> Chart {
    let span = span(facts.summary, facts.now);
    let finish = (kind == ChartKind::Progress).then(|| forecast::band(facts.summary, facts.series, facts.now)).flatten();
    let (axis, layers) = match kind {
        ChartKind::Progress => progress(facts, span, finish),
        ChartKind::Replicas => replicas(facts),
        ChartKind::Cpu => cpu(facts),
        ChartKind::Error => error(facts, span),
    };
    let time = |at: i64| time_label(span, at, facts.zone);
    Chart {
        span,
        axis,
        layers,
        time_ticks: time_ticks(span, facts.zone),
        deadline: Some((facts.summary.deadline_at, time(facts.summary.deadline_at))),
        finish: finish.map(|band| (i64::midpoint(band.p5, band.p95), format!("{}–{}", time(band.p5), time(band.p95)))),
        marks: facts.marks.iter().filter(|mark| worth_showing(mark)).map(|mark| (mark.at, mark.kind)).collect(),
        times_shown: kind == ChartKind::Progress,
        phase: kind.phase(),
    }
}

fn points<'a>(facts: &'a Facts, name: &str) -> &'a [Point] {
    facts.series.get(name).map_or(&[], Vec::as_slice)
}

fn until(facts: &Facts) -> i64 {
    facts.summary.ended_at.unwrap_or(facts.now)
}

fn progress(facts: &Facts, span: Span, finish: Option<forecast::Band>) -> (Axis, Vec<Layer>) {
    let total = facts.summary.items.total.max(1) as f64;
    let pace = vec![(facts.summary.submitted_at, 0.0), (facts.summary.deadline_at, total)];
    let mut layers = vec![Layer { ink: Ink::Plan, shape: Shape::Line { width: 1, dash: EVEN }, points: pace }];
    if let Some(band) = finish {
        layers.extend(forecast::fan(facts.summary, band, facts.now).map(|layer| layer.until(span.to)));
    }
    layers.push(Layer { ink: Ink::Done, shape: Shape::Line { width: 2, dash: WHOLE }, points: line(points(facts, "done")) });
    (Axis::covering(0.0, total, 4, words::compact), layers)
}

fn replicas(facts: &Facts) -> (Axis, Vec<Layer>) {
    let until = until(facts);
    // Stacked: running, above it starting, above that draining; all on the moments of `running`.
    let running = line(points(facts, "running"));
    let above = |below: &[(i64, f64)], name: &str| -> Vec<(i64, f64)> {
        below.iter().map(|&(at, value)| (at, value + value_at(points(facts, name), at).unwrap_or(0.0))).collect()
    };
    let starting = above(&running, "starting");
    let draining = above(&starting, "draining");
    let ground: Vec<(i64, f64)> = running.iter().map(|&(at, _)| (at, 0.0)).collect();
    let area = |ink: Ink, alpha: f64, top: &[(i64, f64)], base: &[(i64, f64)]| Layer {
        ink,
        shape: Shape::Area { base: steps(base, until), alpha },
        points: steps(top, until),
    };
    let max = f64::from(facts.spec.replicas.max);
    let whole = span(facts.summary, facts.now);
    let mut layers = vec![
        area(Ink::Running, RUNNING_ALPHA, &running, &ground),
        area(Ink::Starting, STARTING_ALPHA, &starting, &running),
        area(Ink::Draining, DRAINING_ALPHA, &draining, &starting),
        Layer { ink: Ink::Plan, shape: Shape::Line { width: 1, dash: EVEN }, points: vec![(whole.from, max), (whole.to, max)] },
    ];
    for (place, one) in facts.wishers().iter().enumerate() {
        let (ink, dash) = wish_look(place);
        let wish = line(points(facts, &format!("wish.{}", one.name)));
        layers.push(Layer {
            ink,
            shape: Shape::Line { width: 1, dash },
            points: wish.into_iter().map(|(at, value)| (at, value.clamp(0.0, max * 1.2))).collect(),
        });
    }
    layers.push(Layer {
        ink: Ink::Label,
        shape: Shape::Line { width: 1, dash: WHOLE },
        points: steps(&line(points(facts, "wanted")), until),
    });
    let top = draining.iter().map(|p| p.1).fold(max, f64::max);
    let mut axis = Axis::covering(0.0, top.max(1.0), 3, |value| ChartKind::Replicas.label(value));
    axis.ticks.retain(|(value, _)| value.fract() == 0.0);
    (axis, layers)
}

fn cpu(facts: &Facts) -> (Axis, Vec<Layer>) {
    let seen = points(facts, "cpu");
    let top = seen.iter().map(|p| p.max).fold(1.0, f64::max);
    let band = |pick: fn(&Point) -> f64| seen.iter().map(|p| (p.at, pick(p))).collect::<Vec<_>>();
    let layers = vec![
        Layer { ink: Ink::Cpu, shape: Shape::Area { base: band(|p| p.min), alpha: 0.25 }, points: band(|p| p.max) },
        Layer { ink: Ink::Cpu, shape: Shape::Area { base: band(|_| 0.0), alpha: 0.10 }, points: line(seen) },
        Layer { ink: Ink::Cpu, shape: Shape::Line { width: 1, dash: WHOLE }, points: line(seen) },
    ];
    (Axis::covering(0.0, top, 2, |value| ChartKind::Cpu.label(value)), layers)
}

fn error(facts: &Facts, span: Span) -> (Axis, Vec<Layer>) {
    let seen = points(facts, "progress_error");
    let low = seen.iter().map(|p| p.min).fold(-0.05, f64::min);
    let high = seen.iter().map(|p| p.max).fold(0.05, f64::max);
    let layers = vec![
        Layer { ink: Ink::Plan, shape: Shape::Line { width: 1, dash: EVEN }, points: vec![(span.from, 0.0), (span.to, 0.0)] },
        Layer { ink: Ink::Done, shape: Shape::Line { width: 1, dash: WHOLE }, points: line(seen) },
    ];
    (Axis::covering(low, high, 2, |value| ChartKind::Error.label(value)), layers)
}

#[cfg(test)]
pub mod tests {
    use control::{
        job::{Bounds, Objective, Order, Phase, QueueSpec, Workload},
        live::{Foretold, MarkKind},
        plugin::PluginSpec,
    };
    use serde_json::json;

    use super::*;
    use crate::job::verdict::tests::job;

    /// A series by name, and its value after so many seconds.
    type Named = (&'static str, fn(f64) -> f64);

    /// A minute of a job of 100 items, submitted at 0 and due after two minutes.
    fn minute(loops: &[&str], named: &[Named], check: impl FnOnce(&Facts)) {
        let one = |name: &&str| LoopSpec {
            name: (*name).to_owned(),
            controller: PluginSpec::new("pid", json!({})),
            metric: "progress_error".to_owned(),
            actuator: PluginSpec::new("replicas", json!({})),
            interval_s: 1.0,
        };
        let spec = JobSpec {
            name: "minute".to_owned(),
            platform: PluginSpec::new("local", json!({})),
            workload: Workload::Inline { items: "a".to_owned() },
            objective: Objective::within(120.0),
            replicas: Bounds { min: 1, max: 4, initial: 2 },
            monitors: Vec::new(),
            loops: loops.iter().map(one).collect(),
            queue: QueueSpec { max_attempts: 3, order: Order::Fifo }.into(),
        };
        let points = |value: fn(f64) -> f64| {
            let point = |second: i64, last: f64| Point { at: second * 1000, min: last, max: last, last };
            (0..=60).map(|second| point(second, value(second as f64))).collect::<Vec<_>>()
        };
        let series = named.iter().map(|(name, value)| ((*name).to_owned(), points(*value))).collect();
        let mut summary = job(Phase::Running, 60, 0);
        (summary.submitted_at, summary.deadline_at, summary.items.total) = (0, 120_000, 100);
        let mark = |at: i64, kind: MarkKind| Mark { at, kind, text: "so".to_owned(), loop_name: None, decision: None };
        let marks = [mark(10_000, MarkKind::Tuned), mark(20_000, MarkKind::Info), mark(40_000, MarkKind::Failure)];
        check(&Facts { summary: &summary, spec: &spec, series: &series, marks: &marks, now: 60_000, zone: 0 });
    }

    const PLAIN: [Named; 4] = [("done", |s| s), ("wanted", |_| 3.0), ("running", |_| 3.0), ("starting", |_| 0.0)];

    /// One loop that foretells nothing.
    pub fn one_job(check: impl FnOnce(&Facts)) {
        minute(&["pace"], &PLAIN, check);
    }

    /// Two loops, one of which foretells.
    pub fn two_loops(check: impl FnOnce(&Facts)) {
        let more: [Named; 5] = [
            ("wish.pace", |_| 3.0),
            ("wish.cost", |_| 2.0),
            ("finish.pace.p5", |_| 50.0),
            ("finish.pace.p50", |_| 60.0),
            ("finish.pace.p95", |_| 80.0),
        ];
        minute(&["pace", "cost"], &[&PLAIN[..], &more].concat(), check);
    }

    #[test]
    fn every_chart_has_the_marks_worth_showing() {
        one_job(|facts| {
            for kind in ChartKind::ALL {
                assert_eq!(build(kind, facts).marks, [(10_000, MarkKind::Tuned), (40_000, MarkKind::Failure)], "{kind:?}");
            }
        });
    }

    #[test]
    fn the_axis_has_room_for_a_late_finish_in_steps() {
        let mut summary = job(Phase::Running, 60, 0);
        (summary.submitted_at, summary.deadline_at) = (0, 800_000);
        let mut edge = |finish: i64| {
            summary.foretold = Some(Foretold { at: finish, p_meet: 0.5 });
            span(&summary, 400_000).to - 16_000
        };
        assert_eq!(edge(700_000), 800_000, "in time");
        assert_eq!((edge(840_000), edge(845_000)), (1_000_000, 1_000_000), "small changes move nothing");
        assert_eq!(edge(i64::MAX / 100), 3_200_000, "the past stays to be seen");
    }

    #[test]
    fn each_wish_is_drawn_as_the_legend_says() {
        two_loops(|facts| {
            let layers = build(ChartKind::Replicas, facts).layers;
            for (place, wish) in [(0, 3.0), (1, 2.0)] {
                let (ink, dash) = wish_look(place);
                let shape = Shape::Line { width: 1, dash };
                let drawn = layers.iter().find(|layer| layer.ink == ink && layer.shape == shape).expect("its line is there");
                assert!(drawn.points.iter().all(|(_, value)| *value == wish));
            }
        });
    }

    #[test]
    fn the_fan_says_when_it_ends_and_the_deadline_has_the_axis_seconds() {
        two_loops(|facts| {
            let chart = build(ChartKind::Progress, facts);
            assert_eq!(chart.finish, Some((125_000, "00:01:50–00:02:20".to_owned())));
            assert_eq!(chart.deadline, Some((120_000, "00:02:00".to_owned())));
            assert_eq!(build(ChartKind::Cpu, facts).finish, None);
        });
        one_job(|facts| assert_eq!(build(ChartKind::Progress, facts).finish, None));
    }
}

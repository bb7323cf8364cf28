//! The four charts of a job, built from what its page knows. One time axis goes through all of them.

use std::collections::BTreeMap;

use control::{
    job::JobSpec,
    live::{JobDetail, JobSummary, Point, Series},
};

use super::{
    forecast,
    model::{Axis, Chart, Layer, Shape, Span, line, steps, time_ticks, value_at},
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

    /// What the lines are: ink, look (`line`, `dash`, `box`) and words.
    pub fn legend(self) -> &'static [(Ink, &'static str, &'static str)] {
        match self {
            Self::Progress => &[
                (Ink::Done, "line", "done"),
                (Ink::Done, "box", "finish, 90 in 100"),
                (Ink::Plan, "dash", "even pace"),
                (Ink::Deadline, "line", "deadline"),
            ],
            Self::Replicas => &[
                (Ink::Label, "line", "wanted"),
                (Ink::Running, "box", "running"),
                (Ink::Starting, "box", "starting"),
                (Ink::Draining, "box", "draining"),
            ],
            Self::Cpu => &[(Ink::Cpu, "line", "cores a replica, mean")],
            Self::Error => &[(Ink::Done, "line", "done − even pace, negative is late")],
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

    /// The series that the crosshair and the table read, with their words.
    pub fn columns(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Progress => &[("done", "done")],
            Self::Replicas => &[("wanted", "wanted"), ("running", "running"), ("starting", "starting"), ("draining", "draining")],
            Self::Cpu => &[("cpu", "CPU")],
            Self::Error => &[("progress_error", "error")],
        }
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

/// What all charts of a job are drawn from.
pub struct Facts<'a> {
    pub summary: &'a JobSummary,
    pub spec: &'a JobSpec,
    pub series: &'a SeriesMap,
    /// Milliseconds since 1970.
    pub now: i64,
    /// Minutes east of UTC for the labels.
    pub zone: i32,
}

/// Series of a job's first answer, by name.
pub fn by_name(series: &[Series]) -> SeriesMap {
    series.iter().map(|one| (one.name.clone(), one.points.clone())).collect()
}

/// A chart straight from the stored detail, for exports.
pub fn of_detail(kind: ChartKind, detail: &JobDetail, now: i64, zone: i32) -> Chart {
    let series = by_name(&detail.series);
    build(kind, &Facts { summary: &detail.summary, spec: &detail.spec, series: &series, now, zone })
}

/// The time axis: from submission to the deadline, or to what came after it.
pub fn span(summary: &JobSummary, now: i64) -> Span {
    let newest = summary.ended_at.unwrap_or(now);
    let room = (summary.deadline_at - summary.submitted_at) / 50;
    // A job that ended early is shown whole; one that runs late pushes the right edge on.
    Span::new(summary.submitted_at, summary.deadline_at.max(newest) + room)
}

/// One chart.
pub fn build(kind: ChartKind, facts: &Facts) -> Chart {
    let span = span(facts.summary, facts.now);
    let (axis, layers) = match kind {
        ChartKind::Progress => progress(facts, span),
        ChartKind::Replicas => replicas(facts),
        ChartKind::Cpu => cpu(facts),
        ChartKind::Error => error(facts, span),
    };
    Chart {
        span,
        axis,
        layers,
        time_ticks: time_ticks(span, 8, facts.zone),
        deadline: Some((facts.summary.deadline_at, words::clock_short(facts.summary.deadline_at, facts.zone))),
        times_shown: kind == ChartKind::Progress,
    }
}

fn points<'a>(facts: &'a Facts, name: &str) -> &'a [Point] {
    facts.series.get(name).map_or(&[], Vec::as_slice)
}

fn until(facts: &Facts) -> i64 {
    facts.summary.ended_at.unwrap_or(facts.now)
}

fn progress(facts: &Facts, span: Span) -> (Axis, Vec<Layer>) {
    let total = facts.summary.items.total.max(1) as f64;
    let pace = vec![(facts.summary.submitted_at, 0.0), (facts.summary.deadline_at, total)];
    let mut layers = vec![Layer { ink: Ink::Plan, shape: Shape::Line { width: 1, dashed: true }, points: pace }];
    if let Some(band) = forecast::band(facts.summary, facts.series, facts.now) {
        layers.extend(forecast::fan(facts.summary, band, facts.now).map(|layer| layer.until(span.to)));
    }
    layers.push(Layer { ink: Ink::Done, shape: Shape::Line { width: 2, dashed: false }, points: line(points(facts, "done")) });
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
        area(Ink::Running, 0.30, &running, &ground),
        area(Ink::Starting, 0.80, &starting, &running),
        area(Ink::Draining, 0.75, &draining, &starting),
        Layer { ink: Ink::Plan, shape: Shape::Line { width: 1, dashed: true }, points: vec![(whole.from, max), (whole.to, max)] },
    ];
    // With several loops each one's wish is drawn, so that one sees which of them was followed.
    if facts.spec.loops.len() > 1 {
        for one in &facts.spec.loops {
            let wish = line(points(facts, &format!("wish.{}", one.name)));
            layers.push(Layer {
                ink: Ink::Wish,
                shape: Shape::Line { width: 1, dashed: true },
                points: wish.into_iter().map(|(at, value)| (at, value.clamp(0.0, max * 1.2))).collect(),
            });
        }
    }
    layers.push(Layer {
        ink: Ink::Label,
        shape: Shape::Line { width: 1, dashed: false },
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
        Layer { ink: Ink::Cpu, shape: Shape::Line { width: 1, dashed: false }, points: line(seen) },
    ];
    (Axis::covering(0.0, top, 2, |value| ChartKind::Cpu.label(value)), layers)
}

fn error(facts: &Facts, span: Span) -> (Axis, Vec<Layer>) {
    let seen = points(facts, "progress_error");
    let low = seen.iter().map(|p| p.min).fold(-0.05, f64::min);
    let high = seen.iter().map(|p| p.max).fold(0.05, f64::max);
    let layers = vec![
        Layer { ink: Ink::Plan, shape: Shape::Line { width: 1, dashed: true }, points: vec![(span.from, 0.0), (span.to, 0.0)] },
        Layer { ink: Ink::Done, shape: Shape::Line { width: 1, dashed: false }, points: line(seen) },
    ];
    (Axis::covering(low, high, 2, |value| ChartKind::Error.label(value)), layers)
}

/// Everything at one moment, for the crosshair: `17:31:05 · done 1 020 · …`.
pub fn readout(series: &SeriesMap, at: i64, zone: i32) -> String {
    let mut said = vec![words::clock(at, zone)];
    for kind in ChartKind::ALL {
        for (name, label) in kind.columns() {
            let Some(value) = series.get(*name).and_then(|points| value_at(points, at)) else { continue };
            // Nothing starting or draining is the usual case and needs no words.
            if matches!(*name, "starting" | "draining") && value == 0.0 {
                continue;
            }
            said.push(format!("{label} {}", kind.label(value)));
        }
    }
    said.join(" · ")
}

//! What a chart shows, as plain data: axes with round ticks, lines, areas, steps. Pure.

use control::live::{MarkKind, Point};

use super::palette::Ink;

/// Everything that is drawn, in data coordinates.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    pub span: Span,
    pub axis: Axis,
    /// Labelled moments.
    pub time_ticks: Vec<(i64, String)>,
    /// Drawn in this order.
    pub layers: Vec<Layer>,
    /// A line through all charts, milliseconds since 1970.
    pub deadline: Option<(i64, String)>,
    /// The middle of the foretold finish, milliseconds since 1970, and its early and late end in words.
    pub finish: Option<(i64, String)>,
    /// Decisions, tunings and failures, oldest first, milliseconds since 1970.
    pub marks: Vec<(i64, MarkKind)>,
    /// Only the topmost chart writes times under its axis.
    pub times_shown: bool,
    /// Moments are moved right by this part of a device pixel, less than a half, before they are rounded.
    pub phase: f64,
}

/// From when to when, milliseconds since 1970. Never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: i64,
    pub to: i64,
}

impl Span {
    pub fn new(from: i64, to: i64) -> Self {
        Self { from, to: to.max(from + 1000) }
    }

    /// Where a moment lies, 0 at the left and 1 at the right; beyond for moments outside.
    pub fn place(self, at: i64) -> f64 {
        (at - self.from) as f64 / (self.to - self.from) as f64
    }

    /// The moment at a place, kept inside.
    pub fn moment(self, place: f64) -> i64 {
        self.from + ((self.to - self.from) as f64 * place.clamp(0.0, 1.0)) as i64
    }
}

/// The value axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// Covers `low` to `high` with about `wanted` round steps, each labelled by `label`.
    pub fn covering(low: f64, high: f64, wanted: u32, label: impl Fn(f64) -> String) -> Self {
        let step = round_step((high - low).max(1e-9) / f64::from(wanted.max(1)));
        let first = (low / step).floor() as i64;
        let last = (high / step - 1e-9).ceil() as i64;
        let ticks: Vec<(f64, String)> = (first..=last).map(|n| n as f64 * step).map(|value| (value, label(value))).collect();
        Self { low: first as f64 * step, high: last as f64 * step, ticks }
    }

    /// Where a value lies, 0 at the bottom and 1 at the top, kept inside.
    pub fn place(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// The smallest of 1, 2, 5 × 10ⁿ that is not below `least`.
pub fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|step| *step >= least * (1.0 - 1e-9)).unwrap_or(power * 10.0)
}

/// Seconds between labelled moments, all of them familiar from clocks.
const TIME_STEPS_S: [i64; 17] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];

/// Labelled moments of a time axis, at most.
const TIME_TICKS: i64 = 8;

fn time_step_s(span: Span) -> i64 {
    let length_s = (span.to - span.from) / 1000;
    TIME_STEPS_S.into_iter().find(|step| length_s / step <= TIME_TICKS).unwrap_or(86_400 * (length_s / 86_400 / TIME_TICKS + 1))
}

/// A moment as the axis of this span writes it: with seconds where the axis has them.
pub fn time_label(span: Span, at: i64, zone: i32) -> String {
    if time_step_s(span) < 60 { crate::ui::words::clock(at, zone) } else { crate::ui::words::clock_short(at, zone) }
}

/// Round moments of a span in a zone `zone` minutes east of UTC.
pub fn time_ticks(span: Span, zone: i32) -> Vec<(i64, String)> {
    let step = time_step_s(span) * 1000;
    let shift = i64::from(zone) * 60_000;
    let first = (span.from + shift).div_euclid(step) * step - shift;
    (0..)
        .map(|n| first + n * step)
        .skip_while(|at| *at < span.from)
        .take_while(|at| *at <= span.to)
        .map(|at| (at, time_label(span, at, zone)))
        .collect()
}

/// One thing drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    pub ink: Ink,
    pub shape: Shape,
    /// Time and value, oldest first.
    pub points: Vec<(i64, f64)>,
}

/// Lengths of strokes and gaps in turn, CSS pixels; none for a whole line.
pub type Dash = &'static [u8];
pub const WHOLE: Dash = &[];
pub const EVEN: Dash = &[4, 4];

#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    Line {
        width: u32,
        dash: Dash,
    },
    /// Filled down to these points, which go with the layer's own.
    Area {
        base: Vec<(i64, f64)>,
        alpha: f64,
    },
}

impl Layer {
    /// The same, cut where it leaves the picture on the right: drawn at the edge, what comes later would stand there as a wall.
    pub fn until(mut self, at: i64) -> Self {
        self.points = cut(self.points, at);
        if let Shape::Area { base, .. } = &mut self.shape {
            *base = cut(std::mem::take(base), at);
        }
        self
    }
}

fn cut(mut points: Vec<(i64, f64)>, at: i64) -> Vec<(i64, f64)> {
    let inside = points.partition_point(|(moment, _)| *moment <= at);
    if let (Some((from, low)), Some((to, high))) = (inside.checked_sub(1).map(|last| points[last]), points.get(inside).copied()) {
        points[inside] = (at, low + (high - low) * (at - from) as f64 / (to - from) as f64);
        points.truncate(inside + 1);
    }
    points
}

/// The newest value of each bucket, for a line.
pub fn line(points: &[Point]) -> Vec<(i64, f64)> {
    points.iter().filter(|p| p.last.is_finite()).map(|p| (p.at, p.last)).collect()
}

/// Lines that stay until they jump: counts of replicas. The last value holds until `until`.
pub fn steps(points: &[(i64, f64)], until: i64) -> Vec<(i64, f64)> {
    let mut out: Vec<(i64, f64)> = Vec::with_capacity(points.len() * 2);
    for &(at, value) in points {
        if let Some(&(_, before)) = out.last()
            && before != value
        {
            out.push((at, before));
        }
        out.push((at, value));
    }
    if let Some(&(at, value)) = out.last()
        && at < until
    {
        out.push((until, value));
    }
    out
}

/// The newest point not after a moment.
pub fn point_at(points: &[Point], at: i64) -> Option<&Point> {
    let after = points.partition_point(|p| p.at <= at);
    points[..after].last()
}

/// The value that held at a moment.
pub fn value_at(points: &[Point], at: i64) -> Option<f64> {
    point_at(points, at).map(|p| p.last)
}

/// Adds a point and keeps the buffer below `limit` by joining neighbours; minima and maxima survive.
pub fn push(points: &mut Vec<Point>, point: Point, limit: usize) {
    if points.last().is_some_and(|last| point.at <= last.at) {
        return;
    }
    points.push(point);
    if points.len() > limit {
        *points = points.chunks(2).map(join).collect();
    }
}

fn join(pair: &[Point]) -> Point {
    let (first, last) = (pair[0], pair[pair.len() - 1]);
    Point { at: first.at, min: first.min.min(last.min), max: first.max.max(last.max), last: last.last }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at: i64, last: f64) -> Point {
        Point { at, min: last, max: last, last }
    }

    #[test]
    fn value_axes_have_round_ticks_and_cover_everything() {
        let axis = Axis::covering(0.0, 1262.0, 4, |v| v.to_string());
        assert_eq!(axis.ticks.iter().map(|t| t.0).collect::<Vec<_>>(), [0.0, 500.0, 1000.0, 1500.0]);
        let axis = Axis::covering(-0.13, 0.04, 3, |v| v.to_string());
        assert!(axis.low <= -0.13 && axis.high >= 0.04);
        assert_eq!(round_step(0.3), 0.5);
        assert!((axis.place(axis.high) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_leaves_the_picture_keeps_its_slope() {
        let line = Layer { ink: Ink::Done, shape: Shape::Line { width: 1, dash: EVEN }, points: vec![(0, 0.0), (100, 50.0), (300, 100.0)] };
        assert_eq!(line.clone().until(200).points, [(0, 0.0), (100, 50.0), (200, 75.0)]);
        assert_eq!(line.clone().until(300).points, line.points);
        assert_eq!(line.clone().until(100).points, [(0, 0.0), (100, 50.0), (100, 50.0)]);
        let area = Layer { shape: Shape::Area { base: vec![(0, 0.0), (400, 40.0)], alpha: 0.2 }, ..line };
        assert_eq!(area.until(200).shape, Shape::Area { base: vec![(0, 0.0), (200, 20.0)], alpha: 0.2 });
    }

    #[test]
    fn time_ticks_are_round_in_the_readers_zone() {
        let hour = Span::new(3_600_000 * 10 + 61_000, 3_600_000 * 11);
        let ticks = time_ticks(hour, 0);
        assert_eq!(ticks.first().map(|t| t.1.as_str()), Some("10:10"));
        assert!(ticks.len() <= 9);
        let india = time_ticks(Span::new(0, 4 * 3_600_000), 330);
        assert!(india.iter().all(|t| t.1.ends_with(":00") || t.1.ends_with(":30")), "{india:?}");
        assert_eq!(time_label(hour, hour.to, 0), "11:00");
        assert_eq!(time_label(Span::new(0, 60_000), 59_000, 0), "00:00:59", "an axis of a minute has seconds");
    }

    #[test]
    fn counts_are_drawn_as_steps_up_to_now() {
        assert_eq!(steps(&[(0, 2.0), (10, 2.0), (20, 3.0)], 30), [(0, 2.0), (10, 2.0), (20, 2.0), (20, 3.0), (30, 3.0)]);
    }

    #[test]
    fn a_full_buffer_halves_and_keeps_its_peaks() {
        let mut points = Vec::new();
        for n in 0..1000 {
            push(&mut points, point(n, if n == 333 { 99.0 } else { 1.0 }), 100);
        }
        assert!(points.len() <= 100);
        assert!((points.iter().map(|p| p.max).fold(0.0, f64::max) - 99.0).abs() < 1e-12);
        assert_eq!(points[0].at, 0);
        push(&mut points, point(5, 7.0), 100);
        assert_eq!(points.last().map(|p| p.at), Some(999), "old news is dropped");
    }

    #[test]
    fn the_cursor_reads_what_held_at_its_moment() {
        let points = [point(10, 1.0), point(20, 2.0)];
        assert_eq!(value_at(&points, 9), None);
        assert_eq!(value_at(&points, 19), Some(1.0));
        assert_eq!(value_at(&points, 25), Some(2.0));
    }
}

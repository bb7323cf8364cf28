//! The page of what would have been: reads what was asked, simulates, and draws the courses over each other.

use std::collections::BTreeMap;

use app::api::error::ApiError;
use app::api::what_if::{Course as CourseView, WhatIfPage};
use app::chart::model::{Axis, Chart, EVEN, Layer, Shape, Span, WHOLE, steps, time_label, time_ticks};
use app::chart::palette::Ink;
use app::chart::{Theme, svg};
use app::form::names::flat;
use app::form::submitted::SubmitForm;
use app::ui::words;
use control::form::unflatten;
use control::live::{JobDetail, LoopView};
use control::plugin::{FieldError, PluginSpec};

use super::Line;
use super::what_if::{Course, Otherwise, Point, WhatIfError, deadline_s, finish_s, most_replicas, what_if};
use crate::manager::internal;

/// More would keep a core busy for minutes.
const MOST_ITEMS: u64 = 200_000;
/// Points of a drawn line.
const POINTS: usize = 600;
/// On wide and on narrow windows, CSS pixels: one picture for both would have words that nobody can read on the latter.
const WIDTHS: [u32; 2] = [980, 350];

/// The page without courses: what can be asked of this job, and what was.
pub fn asked(
    detail: &JobDetail,
    laws: Vec<control::plugin::KindInfo>,
    mut values: BTreeMap<String, String>,
) -> (WhatIfPage, Option<Otherwise>) {
    let loops: Vec<String> = detail.loops.iter().map(|one| one.name.clone()).collect();
    let chosen = values.get("loop").and_then(|name| detail.loops.iter().find(|one| one.name == *name)).or(detail.loops.first());
    let now = chosen.map(|one| one.kind.clone()).unwrap_or_default();
    let kind = values.entry("controller.kind".to_owned()).or_insert(now).clone();
    let under = format!("controller.{kind}.");
    let mut errors = Vec::new();
    let typed = |name: &str| values.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
    let deadline_s = typed("deadline_s").and_then(|text| checked(deadline_s(text), &mut errors, "deadline_s", text));
    let max = typed("max").and_then(|text| checked(most_replicas(text), &mut errors, "max", text));
    let wants_law = values.keys().any(|name| name.starts_with(&under));
    let controller = wants_law.then(|| {
        let own = values.iter().filter_map(|(name, value)| Some((name.strip_prefix(&under)?.to_owned(), value.clone()))).collect();
        PluginSpec::new(&kind, unflatten(&own))
    });
    let otherwise = (controller.is_some() || deadline_s.is_some() || max.is_some()).then_some(Otherwise { controller, deadline_s, max });
    let otherwise = otherwise.filter(|_| errors.is_empty());
    if !wants_law && let Some(one) = chosen.filter(|one| one.kind == kind) {
        values.extend(running(one, &under));
    }
    let page = WhatIfPage {
        loop_name: chosen.map(|one| one.name.clone()).unwrap_or_default(),
        loops,
        laws,
        form: SubmitForm { values, errors, quoted: None },
        ..WhatIfPage::default()
    };
    (page, otherwise)
}

fn checked<T>(read: Result<T, &str>, errors: &mut Vec<FieldError>, field: &str, was: &str) -> Option<T> {
    read.map_err(|must| errors.push(FieldError::new(field, format!("{must}, was {was}")))).ok()
}

/// The params of a loop as they are now, by input name.
fn running<'a>(one: &LoopView, under: &'a str) -> impl Iterator<Item = (String, String)> + use<'a> {
    flat(&one.params).into_iter().map(move |(name, value)| (format!("{under}{name}"), value))
}

/// Simulates, and fills the page. Takes a core for a moment.
///
/// # Errors
/// A recording that cannot be read. What is wrong with the question stands on the page.
pub fn fill(mut page: WhatIfPage, detail: &JobDetail, recording: &[String], otherwise: Option<&Otherwise>) -> Result<WhatIfPage, ApiError> {
    let summary = &detail.summary;
    if MOST_ITEMS < summary.items.total {
        page.trouble = Some(format!(
            "This job has more than {} items, too many to simulate beside the others. `asperathos replay {}` does it on your machine.",
            words::count(MOST_ITEMS),
            summary.id
        ));
        return Ok(page);
    }
    let lines =
        recording.iter().map(|line| serde_json::from_str(line)).collect::<Result<Vec<Line>, _>>().map_err(|error| internal(&error))?;
    let ended_s = finish_s(summary);
    let courses = match what_if(&lines, ended_s, otherwise) {
        Err(WhatIfError::Law(errors)) if otherwise.is_some() => {
            page.form.errors.extend(errors);
            what_if(&lines, ended_s, None)
        }
        courses => courses,
    };
    match courses {
        Err(why) => page.trouble = Some(sentence(&why.to_string())),
        Ok(courses) => {
            let start = summary.started_at.unwrap_or(summary.submitted_at);
            page.pictures =
                WIDTHS.map(|width| [picture(&courses, start, true, width), picture(&courses, start, false, width)].concat()).to_vec();
            page.courses = courses.into_iter().map(view).collect();
        }
    }
    Ok(page)
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| format!("{}{}.", first.to_uppercase(), letters.as_str())).unwrap_or_default()
}

fn view(course: Course) -> CourseView {
    let Course { name, finish_s, deadline_s, replica_seconds, peak, moves, .. } = course;
    CourseView { name, done_s: finish_s, deadline_s, replica_seconds, peak, moves }
}

/// Progress in percent, or replicas, of all courses.
fn picture(courses: &[Course], start: i64, progress: bool, width: u32) -> String {
    let moment = |at_s: f64| start + (at_s * 1000.0) as i64;
    let last_s = courses.iter().flat_map(|course| course.points.last().map(|point| point.at_s).into_iter().chain(course.deadline_s));
    let end = moment(last_s.fold(1.0, f64::max));
    let span = Span::new(start, end + (end - start) / 50);
    let value = |point: &Point| if progress { point.done * 100.0 } else { f64::from(point.replicas) };
    let layers: Vec<Layer> = courses
        .iter()
        .zip([(Ink::Done, 2, WHOLE), (Ink::Done, 1, EVEN), (Ink::Wish, 2, WHOLE)])
        .map(|(course, (ink, thick, dash))| {
            let thin = course.points.len().div_ceil(POINTS).max(1);
            let places = course.points.len().saturating_sub(1);
            let kept = course.points.iter().enumerate().filter(|(place, _)| place % thin == 0 || *place == places);
            let points: Vec<(i64, f64)> = kept.map(|(_, point)| (moment(point.at_s), value(point))).collect();
            let points = if progress { points } else { steps(&points, 0) };
            Layer { ink, shape: Shape::Line { width: thick, dash }, points }
        })
        .collect();
    let most = layers.iter().flat_map(|layer| &layer.points).map(|(_, value)| *value).fold(1.0, f64::max);
    let label = |value: f64| if progress { words::percent(value / 100.0) } else { words::number(value, 0) };
    let axis = if progress { Axis::covering(0.0, 100.0, 4, label) } else { Axis::covering(0.0, most, 3, label) };
    let deadline = courses.last().and_then(|course| course.deadline_s).map(moment);
    let chart = Chart {
        span,
        axis,
        layers,
        time_ticks: time_ticks(span, 0),
        deadline: deadline.map(|at| (at, time_label(span, at, 0))),
        finish: None,
        marks: Vec::new(),
        times_shown: progress,
        phase: 0.0,
    };
    svg(&chart, (width, if progress { 196 } else { 110 }), Theme::Page)
}

//! One chart on the page: a canvas painted at most once a frame, a crosshair above it that redraws nothing.

use leptos::{ev, html, prelude::*};
use plotters_canvas::CanvasBackend;
use wasm_bindgen::JsCast;

use super::{
    columns::{columns, readout},
    drawing::{LEFT, RIGHT, Stroke, Surface, drawing},
    kinds::{ChartKind, build, span},
    legend::{Entry, Swatch, legend},
    model::Span,
    paint::paint,
    palette::{INKS, Palette},
    table::ChartTable,
};
use crate::{
    live::JobLive,
    ui::{erase::Erase, words},
};

/// Widest window for each width of the server's picture, CSS pixels: it stands where the canvas will,
/// nearly as wide, so that nothing moves when the canvas takes over. The differences are those of the style sheet.
const FIRST_WIDTHS: [(u32, u32); 12] = [
    (380, 330),
    (420, 365),
    (560, 450),
    (700, 590),
    (900, 760),
    (1000, 660),
    (1100, 760),
    (1200, 500),
    (1300, 620),
    (1400, 705),
    (1500, 780),
    (1700, 950),
];
const WIDEST: u32 = 1227;

/// The moment under the crosshair of all charts, milliseconds since 1970.
#[derive(Clone, Copy)]
pub struct Cursor(pub RwSignal<Option<i64>>);

/// Where a moment lies across a chart, as a CSS length.
pub fn left_of(span: Span, at: i64) -> String {
    let place = span.place(at).clamp(0.0, 1.0);
    format!("left:calc({LEFT}px + (100% - {}px) * {place:.4})", LEFT + RIGHT)
}

/// Title, legend, canvas and table of one chart.
#[component]
pub fn ChartView(kind: ChartKind) -> impl IntoView {
    let live: JobLive = expect_context();
    let canvas = NodeRef::<html::Canvas>::new();
    let painted = repaint(live, kind, canvas);
    // Anew only when it says something else.
    let legend = Memo::new(move |_| {
        live.now.track();
        live.series.track();
        live.with_facts(|facts| legend(kind, facts))
    });
    let first = move |width: u32| format!("/jobs/{}/chart/{}.svg?width={width}", live.id.get_value(), kind.word());
    let widths: Vec<_> = FIRST_WIDTHS
        .into_iter()
        .map(|(window, width)| view! { <source media=format!("(max-width: {window}px)") srcset=first(width)/> }.erase())
        .collect();
    view! {
        <section class="chart" data-kind=kind.word()>
            <div class="chart-head">
                <h2>{kind.title()}</h2>
                <div class="legend">{move || legend.get().into_iter().map(legend_entry).collect::<Vec<_>>()}</div>
            </div>
            <Plot kind live>
                <picture hidden=move || painted.get()>
                    {widths}
                    <img class="chart-first" src=first(WIDEST) alt="" height=kind.height() fetchpriority="low"/>
                </picture>
                <canvas node_ref=canvas class="chart-canvas" style=format!("height:{}px", kind.height()) aria-hidden="true"></canvas>
            </Plot>
            <ChartTable kind/>
        </section>
    }
    .erase()
}

fn legend_entry(entry: Entry) -> AnyView {
    let look = if matches!(entry.swatch, Swatch::Area(_)) { "box" } else { "line" };
    let style = format!("color:var({});{}", entry.ink.token(), entry.swatch.css());
    view! { <span class="legend-entry"><i data-look=look style=style aria-hidden="true"></i>{entry.words}</span> }.erase()
}

/// The focusable plot: pointer and arrow keys move the crosshair of all charts.
#[component]
fn Plot(kind: ChartKind, live: JobLive, children: Children) -> impl IntoView {
    let Cursor(cursor) = expect_context();
    let whole = move || span(&live.summary.read(), live.now.get());
    let point = move |event: ev::PointerEvent| {
        let width = f64::from(event_target::<web_sys::Element>(&event).client_width());
        let place = (f64::from(event.offset_x()) - LEFT) / (width - LEFT - RIGHT).max(1.0);
        cursor.set(Some(untrack(whole).moment(place)));
    };
    let key = move |event: ev::KeyboardEvent| {
        let whole = untrack(whole);
        let at = whole.place(cursor.get_untracked().unwrap_or_else(|| live.now.get_untracked()));
        let next = match event.key().as_str() {
            "ArrowLeft" => Some(whole.moment(at - 0.01)),
            "ArrowRight" => Some(whole.moment(at + 0.01)),
            "Home" => Some(whole.from),
            "End" => Some(live.now.get_untracked().min(whole.to)),
            "Escape" => None,
            _ => return,
        };
        event.prevent_default();
        cursor.set(next);
    };
    view! {
        <div
            class="plot" tabindex="0" role="img" aria-label=move || aria(live, kind)
            on:pointermove=point on:pointerdown=point on:pointerleave=move |_| cursor.set(None) on:keydown=key
        >
            {children()}
            <div
                class="crosshair" aria-hidden="true" hidden=move || cursor.get().is_none()
                style=move || cursor.get().map(|at| left_of(whole(), at)).unwrap_or_default()
            ></div>
        </div>
    }
    .erase()
}

/// The newest values in words.
fn aria(live: JobLive, kind: ChartKind) -> String {
    live.series.track();
    let values: Vec<String> = live.with_facts(|facts| {
        let said = columns(kind, facts.spec, facts.series).into_iter();
        said.filter_map(|column| Some(format!("{} {}", column.label, column.says(kind, facts, facts.now)?))).collect()
    });
    let said = if values.is_empty() { "nothing measured yet".to_owned() } else { values.join(", ") };
    format!("{} chart: {said}. Arrow keys move the crosshair.", kind.title())
}

/// What all charts say at the crosshair; the newest values when there is none.
#[component]
pub fn Readout() -> impl IntoView {
    let live: JobLive = expect_context();
    let Cursor(cursor) = expect_context();
    let said = move || {
        let at = cursor.get().unwrap_or_else(|| live.summary.read().ended_at.unwrap_or_else(|| live.now.get()));
        live.series.track();
        live.zone.track();
        live.with_facts(|facts| readout(facts, at))
    };
    view! { <p class="readout" role="status" aria-live=move || if cursor.get().is_some() { "polite" } else { "off" }>{said}</p> }.erase()
}

/// Paints whenever something changed, at most once an animation frame. True once it was painted.
fn repaint(live: JobLive, kind: ChartKind, canvas: NodeRef<html::Canvas>) -> RwSignal<bool> {
    let (painted, queued) = (RwSignal::new(false), StoredValue::new(false));
    let last = StoredValue::new(None::<Painted>);
    let queue = move || {
        if queued.get_value() {
            return;
        }
        queued.set_value(true);
        request_animation_frame(move || {
            if queued.try_set_value(false).is_none() && draw(live, kind, canvas, last) && !painted.get_untracked() {
                painted.set(true);
            }
        });
    };
    Effect::new(move |_| {
        canvas.track();
        live.now.track();
        live.summary.track();
        live.zone.track();
        queue();
    });
    Effect::new(move |_| {
        let resized = window_event_listener(ev::resize, move |_| queue());
        on_cleanup(move || resized.remove());
    });
    painted
}

/// What stands on a canvas. On a long job a second moves nothing by a whole pixel, and painting is what a page costs most.
#[derive(PartialEq)]
struct Painted {
    surface: Surface,
    strokes: Vec<Stroke>,
    /// Painted anew each minute, whatever it shows: browsers may drop the memory of a canvas.
    minute: i64,
}

/// Draws the job as it is now, in the page's own colours, unless just that is on the canvas already.
fn draw(live: JobLive, kind: ChartKind, canvas: NodeRef<html::Canvas>, last: StoredValue<Option<Painted>>) -> bool {
    let Some(canvas) = canvas.try_get_untracked().flatten() else { return false };
    let width = f64::from(canvas.client_width());
    if width <= 0.0 {
        return false;
    }
    let scale = window().device_pixel_ratio().clamp(1.0, 4.0);
    let surface = Surface { width, height: f64::from(kind.height()), scale, text: 1.0 };
    let style = document().document_element().and_then(|root| window().get_computed_style(&root).ok().flatten());
    let palette = Palette::read(&style.and_then(|style| style.get_property_value(INKS).ok()).unwrap_or_default());
    let strokes = live.with_facts(|facts| drawing(&build(kind, facts), &palette, surface));
    let wanted = Some(Painted { surface, strokes, minute: live.now.get_untracked() / 60_000 });
    if last.with_value(|last| *last == wanted) {
        return true;
    }
    let Some(context) = clear(&canvas, (surface.width * scale).round() as u32, (surface.height * scale).round() as u32) else {
        return false;
    };
    let Some(mut backend) = CanvasBackend::with_canvas_object(canvas) else { return false };
    let dash = |lengths: &[f64]| {
        let pattern = js_sys::Array::new();
        lengths.iter().for_each(|length| _ = pattern.push(&(*length).into()));
        context.set_line_dash(&pattern).is_ok()
    };
    let done = wanted.as_ref().is_some_and(|wanted| paint(&mut backend, &wanted.strokes, surface, dash).is_ok());
    last.set_value(wanted.filter(|_| done));
    done
}

/// Makes the canvas empty and of that size. A size that is set anew, even the same, costs new memory and another layout of
/// the page.
fn clear(canvas: &web_sys::HtmlCanvasElement, width: u32, height: u32) -> Option<web_sys::CanvasRenderingContext2d> {
    if (canvas.width(), canvas.height()) != (width, height) {
        canvas.set_width(width);
        canvas.set_height(height);
    }
    let context: web_sys::CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    context.clear_rect(0.0, 0.0, f64::from(width), f64::from(height));
    Some(context)
}

/// How a mark or row names its moment.
pub fn moment(at: i64, live: JobLive) -> String {
    words::clock(at, live.zone.get())
}

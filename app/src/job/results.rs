//! Results in item order: pictures side by side without gaps, so that one picture can grow; anything else as a table.

use control::live::{ItemState, ItemView};
use leptos::{html, prelude::*};
use leptos_router::hooks::{use_location, use_query_map};
use wasm_bindgen::JsCast;
use web_sys::HtmlImageElement;

use crate::{
    api::ask::{Answer, Question},
    live::JobLive,
    ui::{
        erase::Erase,
        loaded::kept_fresh,
        search::Search,
        words::{bytes, count},
    },
};

/// Tiles or rows on the page; a picture of more parts is better joined by its own program.
const SHOWN: u32 = 4096;

/// `?columns=30`.
#[component]
pub fn Results() -> impl IntoView {
    let live: JobLive = expect_context();
    let query = use_query_map();
    let columns = Memo::new(move |_| query.read().get("columns").and_then(|text| text.parse::<u32>().ok()).map(|n| n.clamp(1, 200)));
    let done = Memo::new(move |_| live.summary.read().items.done);
    let question = move || Question::Items { id: live.id.get_value(), state: Some(ItemState::Done), offset: 0, limit: SHOWN };
    let all = format!("/jobs/{}/results.tsv", live.id.get_value());
    view! {
        <p class="acts"><a class="button" href=all rel="external" download>"Download all (TSV)"</a></p>
        {kept_fresh(question, move || done.get(), move |answer| match answer {
            Answer::Items(rows) if rows.iter().any(is_picture) => view! { <Pictures rows columns/> }.erase(),
            Answer::Items(rows) => view! { <Table rows/> }.erase(),
            _ => ().into_any(),
        })}
    }
    .erase()
}

fn is_picture(item: &ItemView) -> bool {
    item.result_type.as_ref().is_some_and(|kind| kind.starts_with("image/"))
}

#[component]
fn Pictures(rows: Vec<ItemView>, columns: Memo<Option<u32>>) -> impl IntoView {
    let live: JobLive = expect_context();
    let total = live.summary.read_untracked().items.total.min(u64::from(SHOWN));
    // A square is the best guess as long as nobody said otherwise.
    let across = move || columns.get().unwrap_or_else(|| (total as f64).sqrt().ceil().max(1.0) as u32);
    let mut there = vec![false; total as usize];
    for item in rows.iter().filter(|item| is_picture(item)) {
        if let Some(tile) = there.get_mut(item.index as usize) {
            *tile = true;
        }
    }
    let have = there.iter().filter(|there| **there).count() as u64;
    let id = live.id.get_value();
    // Parts that are missing take the shape of those that are there, so that nothing moves when they come.
    let (frame, shape) = (NodeRef::<html::Div>::new(), RwSignal::new(None::<(u32, u32)>));
    let measure = move || {
        let first = frame.get_untracked().and_then(|frame| frame.query_selector("img").ok().flatten());
        let size = first.and_then(|one| one.dyn_into::<HtmlImageElement>().ok()).map(|one| (one.natural_width(), one.natural_height()));
        shape.set(size.filter(|(width, height)| *width > 0 && *height > 0));
    };
    Effect::new(move |_| {
        frame.track();
        measure();
    });
    let style = move || {
        let (width, height) = shape.get().unwrap_or((1, 1));
        format!("grid-template-columns:repeat({},1fr);--shape:{width}/{height}", across())
    };
    let tiles: Vec<_> = there
        .into_iter()
        .enumerate()
        .map(|(index, there)| {
            if there {
                view! { <img src=format!("/jobs/{id}/results/{index}") alt="" decoding="async" on:load=move |_| measure()/> }.erase()
            } else {
                view! { <i></i> }.erase()
            }
        })
        .collect();
    view! {
        <Columns across=Signal::derive(across)/>
        <div
            class="picture" node_ref=frame style=style role="img" aria-label=format!("{} of {} parts of the picture are there", count(have), count(total))
        >
            {tiles}
        </div>
    }
    .erase()
}

#[component]
fn Columns(across: Signal<u32>) -> impl IntoView {
    view! {
        <Search action=use_location().pathname.get_untracked()>
            <label for="columns">"Columns"</label>
            <input id="columns" name="columns" type="number" min="1" max="200" value=move || across.get()/>
            <button class="button" type="submit" name="tab" value="results">"Arrange"</button>
        </Search>
    }
    .erase()
}

#[component]
fn Table(rows: Vec<ItemView>) -> impl IntoView {
    let live: JobLive = expect_context();
    let id = live.id.get_value();
    let rows: Vec<_> = rows
        .into_iter()
        .filter(|item| item.result_bytes.is_some())
        .map(|item| {
            let href = format!("/jobs/{id}/results/{}", item.index);
            view! {
                <tr>
                    <td class="num">{count(item.index)}</td>
                    <td class="mono cut">{item.item}</td>
                    <td><a href=href rel="external">"Open"</a></td>
                    <td>{item.result_type}</td>
                    <td class="num">{item.result_bytes.map(bytes)}</td>
                </tr>
            }
            .erase()
        })
        .collect();
    if rows.is_empty() {
        return view! { <p class="card empty muted">"No results yet. A worker writes one for each item that it completes."</p> }.erase();
    }
    view! {
        <section class="card scroll">
            <table>
                <caption class="hidden">"Results in item order"</caption>
                <thead>
                    <tr>
                        <th scope="col" class="num">"Index"</th><th scope="col">"Item"</th><th scope="col">"Result"</th>
                        <th scope="col">"Type"</th><th scope="col" class="num">"Size"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </section>
    }
    .erase()
}

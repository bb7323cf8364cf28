//! Results in item order: pictures side by side without gaps, so that one picture can grow; anything else as a table.

use control::live::ItemView;
use leptos::{html, prelude::*};
use leptos_router::hooks::{use_location, use_query_map};
use wasm_bindgen::JsCast;
use web_sys::HtmlImageElement;

use crate::{
    api::{
        ask::{Answer, Question},
        results::{ResultView, SHOWN, TILES, is_picture},
    },
    live::JobLive,
    ui::{
        erase::Erase,
        loaded::kept_fresh,
        range::Range,
        search::Search,
        words::{bytes, count},
    },
};

/// `?columns=30` for pictures, `?from=100` for anything else.
#[component]
pub fn Results() -> impl IntoView {
    let live: JobLive = expect_context();
    let query = use_query_map();
    let columns = Memo::new(move |_| query.read().get("columns").and_then(|text| text.parse::<u32>().ok()).map(|n| n.clamp(1, 200)));
    let done = Memo::new(move |_| live.summary.read().items.done);
    let from = Memo::new(move |_| query.read().get("from").and_then(|text| text.parse::<u64>().ok()).unwrap_or(0));
    let question = move || Question::Results { id: live.id.get_value(), from: from.get() };
    let all = format!("/jobs/{}/results.tsv", live.id.get_value());
    view! {
        <p class="acts"><a class="button" href=all rel="external" download>"Download all (TSV)"</a></p>
        {kept_fresh(question, move || done.get(), move |answer| match answer {
            Answer::Results(found) if found.tiles.is_empty() => view! { <Table rows=found.rows from=from.get_untracked()/> }.erase(),
            Answer::Results(found) => view! { <Pictures rows=found.tiles columns/> }.erase(),
            _ => ().into_any(),
        })}
    }
    .erase()
}

#[component]
fn Pictures(rows: Vec<ItemView>, columns: Memo<Option<u32>>) -> impl IntoView {
    let live: JobLive = expect_context();
    let total = live.summary.read_untracked().items.total.min(u64::from(TILES));
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
        shape.try_set(size.filter(|(width, height)| *width > 0 && *height > 0));
    };
    Effect::new(move |_| {
        frame.track();
        measure();
    });
    let style = move || {
        // Old tiles outlive their signal while new ones are on their way.
        let (width, height) = shape.try_get().flatten().unwrap_or((1, 1));
        format!("grid-template-columns:repeat({},1fr);--shape:{width}/{height}", across())
    };
    let tiles: Vec<_> = there
        .into_iter()
        .enumerate()
        .map(|(index, there)| {
            if there {
                let file = format!("/jobs/{id}/results/{index}");
                let name = format!("Item {index}");
                view! {
                    <a href=file.clone() rel="external" title=name.clone()>
                        <img src=file.clone() alt=name.clone() decoding="async" on:load=move |_| measure()/>
                    </a>
                }
                .erase()
            } else {
                view! { <i></i> }.erase()
            }
        })
        .collect();
    view! {
        <Columns across=Signal::derive(across)/>
        <div
            class="picture" node_ref=frame style=style role="group" aria-label=format!("{} of {} parts of the picture are there", count(have), count(total))
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
fn Table(rows: Vec<ResultView>, from: u64) -> impl IntoView {
    let live: JobLive = expect_context();
    let id = live.id.get_value();
    if rows.is_empty() {
        return view! { <p class="card empty muted">"No results yet. A worker writes one for each item that it completes."</p> }.erase();
    }
    let shown = rows.len() as u64;
    let rows: Vec<_> = rows
        .into_iter()
        .map(|ResultView { item, starts }| {
            let href = format!("/jobs/{id}/results/{}", item.index);
            let size = item.result_bytes.map(bytes);
            let nothing = size.is_none().then(|| view! { <span class="muted">"Nothing was written."</span> }.erase());
            let file = size.map(|size| view! { <a href=href rel="external">{size} " " {item.result_type}</a> }.erase());
            view! {
                <tr>
                    <td class="num" data-label="Index">{count(item.index)}</td>
                    <td class="mono cut" data-label="Item" title=item.item.clone()>{item.item.clone()}</td>
                    <td class="wide">{starts.map(|text| view! { <pre class="excerpt">{text}</pre> }.erase())} {nothing}</td>
                    <td data-label="File">{file}</td>
                </tr>
            }
            .erase()
        })
        .collect();
    let address = move |from: u64| format!("/jobs/{}?tab=results&from={from}", live.id.get_value());
    let total = move || live.summary.read().items.done;
    view! {
        <section class="card scroll">
            <table class="cards">
                <caption class="hidden">"Results in item order"</caption>
                <thead>
                    <tr>
                        <th scope="col" class="num">"Index"</th><th scope="col">"Item"</th>
                        <th scope="col">"Result"</th><th scope="col">"File"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </section>
        <Range from shown page=u64::from(SHOWN) total address/>
    }
    .erase()
}

//! The items by state, a page at a time, and another life for the dead.

use control::live::{ItemState, ItemView};
use leptos::{prelude::*, server_fn::ServerFn};
use leptos_router::hooks::use_query_map;

use crate::{
    api::{
        ask::{Answer, Question},
        items::Retry,
    },
    live::JobLive,
    ui::{
        erase::{Erase, When},
        loaded::kept_fresh,
        post::{Post, PostForm},
        range::Range,
        words::{bytes, count, duration},
    },
};

/// Rows on one page.
const PAGE: u32 = 100;

/// `?state=dead&from=100`.
#[component]
pub fn Items() -> impl IntoView {
    let live: JobLive = expect_context();
    let query = use_query_map();
    let state = Memo::new(move |_| query.read().get("state").and_then(|word| from_word(&word)));
    let from = Memo::new(move |_| query.read().get("from").and_then(|text| text.parse::<u64>().ok()).unwrap_or(0));
    let retry = live.post(Retry::PATH);
    let question = move || Question::Items { id: live.id.get_value(), state: state.get(), offset: from.get(), limit: PAGE };
    // Counts and retries say that something changed; the page then reads its rows again.
    let counts = Memo::new(move |_| live.summary.read().items);
    let changes = Memo::new(move |changes: Option<&u64>| {
        // Not `track`: a memo that nobody has read follows nothing.
        counts.get();
        retry.answer.track();
        changes.map_or(0, |changes| changes + 1)
    });
    view! {
        <Filter state/>
        <RetryAll retry/>
        {kept_fresh(question, move || changes.get(), move |answer| match answer {
            Answer::Items(rows) => view! { <Table rows state=state.get_untracked() from=from.get_untracked() retry/> }.erase(),
            _ => ().into_any(),
        })}
    }
    .erase()
}

fn word(state: ItemState) -> &'static str {
    match state {
        ItemState::Waiting => "waiting",
        ItemState::Processing => "processing",
        ItemState::Done => "done",
        ItemState::Dead => "dead",
    }
}

const STATES: [ItemState; 4] = [ItemState::Waiting, ItemState::Processing, ItemState::Done, ItemState::Dead];

fn from_word(text: &str) -> Option<ItemState> {
    STATES.into_iter().find(|state| word(*state) == text)
}

fn number(live: JobLive, state: Option<ItemState>) -> u64 {
    let items = live.summary.read().items;
    match state {
        None => items.total,
        Some(ItemState::Waiting) => items.waiting,
        Some(ItemState::Processing) => items.processing,
        Some(ItemState::Done) => items.done,
        Some(ItemState::Dead) => items.dead,
    }
}

fn address(live: JobLive, state: Option<ItemState>, from: u64) -> String {
    let state = state.map(|state| format!("&state={}", word(state))).unwrap_or_default();
    format!("/jobs/{}?tab=items{state}&from={from}", live.id.get_value())
}

#[component]
fn Filter(state: Memo<Option<ItemState>>) -> impl IntoView {
    let live: JobLive = expect_context();
    let links: Vec<_> = std::iter::once(None)
        .chain(STATES.into_iter().map(Some))
        .map(|one| {
            view! {
                <a href=address(live, one, 0) aria-current=move || (state.get() == one).then_some("true")>
                    {one.map_or("all", word)} " " <span class="muted">{move || count(number(live, one))}</span>
                </a>
            }
            .erase()
        })
        .collect();
    view! { <nav class="filter" aria-label="Items by state">{links}</nav> }.erase()
}

#[component]
fn RetryAll(retry: Post) -> impl IntoView {
    let live: JobLive = expect_context();
    // An ended job goes on with them; its page has stopped listening, so it is loaded anew.
    Effect::new(move |_| {
        if matches!(retry.answer.get(), Some(Ok(_)))
            && live.ended()
            && let Err(error) = window().location().reload()
        {
            leptos::logging::warn!("the page could not be loaded again: {error:?}");
        }
    });
    let said = move || {
        retry.answer.get().map(|answer| match answer {
            Ok(number) => view! { <span role="status">{format!("{} put back into the queue.", count(number.unwrap_or(0)))}</span> }.erase(),
            Err(error) => view! { <span class="error" role="alert">{error.to_string()}</span> }.erase(),
        })
    };
    view! {
        <div class="acts">
            <When on=move || live.summary.read().items.dead != 0>
                <PostForm post=retry to=Retry::PATH>
                    <input type="hidden" name="id" value=live.id.get_value()/>
                    <button class="button" type="submit">{move || match live.summary.read().items.dead {
                        1 => "Retry the dead one".to_owned(),
                        dead => format!("Retry all {} dead", count(dead)),
                    }}</button>
                </PostForm>
            </When>
            {said}
        </div>
    }
    .erase()
}

#[component]
fn Table(rows: Vec<ItemView>, state: Option<ItemState>, from: u64, retry: Post) -> impl IntoView {
    let live: JobLive = expect_context();
    let shown = rows.len() as u64;
    let none = shown == 0;
    // An empty filter still says of how many.
    let total = move || number(live, state.filter(|_| !none));
    let range = view! {
        <Range from=if none { 0 } else { from } shown page=u64::from(PAGE) total address=move |from| address(live, state, from)/>
    }
    .erase();
    if none {
        let said = state.map_or_else(|| "No items yet.".to_owned(), |state| format!("No item is {}.", word(state)));
        return view! { <p class="card body muted">{said}</p> {range} }.erase();
    }
    view! {
        <section class="card scroll">
            <table class="cards">
                <caption class="hidden">"Items in workload order"</caption>
                <thead>
                    <tr>
                        <th scope="col" class="num">"Index"</th><th scope="col">"Item"</th><th scope="col">"State"</th>
                        <th scope="col" class="num">"Attempts"</th><th scope="col">"Replica"</th>
                        <th scope="col" class="num">"Took"</th><th scope="col">"Result or error"</th>
                    </tr>
                </thead>
                <tbody>{rows.into_iter().map(|item| view! { <Row item retry/> }.erase()).collect::<Vec<_>>()}</tbody>
            </table>
        </section>
        {range}
    }
    .erase()
}

#[component]
fn Row(item: ItemView, retry: Post) -> impl IntoView {
    let live: JobLive = expect_context();
    let tone = match item.state {
        ItemState::Done => "good",
        ItemState::Dead => "bad",
        ItemState::Waiting | ItemState::Processing => "quiet",
    };
    let result = item.result_bytes.map(|size| {
        let href = format!("/jobs/{}/results/{}", live.id.get_value(), item.index);
        view! { <a href=href rel="external">{bytes(size)} " " {item.result_type.clone()}</a> }.erase()
    });
    let again = (item.state == ItemState::Dead).then(|| {
        view! {
            <PostForm post=retry to=Retry::PATH>
                <input type="hidden" name="id" value=live.id.get_value()/>
                <input type="hidden" name="index" value=item.index/>
                <button class="button" data-look="small" type="submit" aria-label=format!("Retry item {}", item.index)>"Retry"</button>
            </PostForm>
        }
        .erase()
    });
    view! {
        <tr>
            <td class="num" data-label="Index">{count(item.index)}</td>
            <td class="mono cut" data-label="Item" title=item.item.clone()>{item.item.clone()}</td>
            <td data-label="State"><span class="chip" data-tone=tone>{word(item.state)}</span></td>
            <td class="num" data-label="Attempts">{item.attempts}</td>
            <td class="mono" data-label="Replica">{item.replica}</td>
            <td class="num" data-label="Took">{item.service_s.map(duration)}</td>
            <td class="wide">{result} <span class="error">{item.error}</span> {again}</td>
        </tr>
    }
    .erase()
}

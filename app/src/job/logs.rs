//! What a replica prints: the end of it at first, then what comes, read on from the byte where it stopped.

use std::{cmp::Reverse, time::Duration};

use leptos::{html, prelude::*, task::spawn_local};
use leptos_router::hooks::use_query_map;

use crate::{
    api::{
        ask::{Answer, Question, ask},
        logs::{LogChunk, LogStream},
    },
    live::JobLive,
    ui::{
        erase::{Erase, When, each},
        loaded::loaded,
    },
};

/// Between two looks for more.
const EACH: Duration = Duration::from_secs(1);
/// Characters kept on the page; older ones scroll away.
const KEPT: usize = 256 * 1024;

/// `?replica=…&stream=stderr`. Without a stream: the one that has something to say.
#[component]
pub fn Logs() -> impl IntoView {
    let live: JobLive = expect_context();
    let query = use_query_map();
    // Those at work first, then the newest: that is where news is.
    let ids = Memo::new(move |_| {
        let mut replicas: Vec<_> =
            live.replicas.read().iter().map(|one| (one.ended.is_some(), Reverse(one.started_at), one.id.clone())).collect();
        replicas.sort();
        replicas.into_iter().map(|(_, _, id)| id).collect::<Vec<_>>()
    });
    let replica = Memo::new(move |_| query.read().get("replica").or_else(|| ids.read().first().cloned()));
    let asked = Memo::new(move |_| match query.read().get("stream").as_deref() {
        Some("stderr") => Some(LogStream::Stderr),
        Some("stdout") => Some(LogStream::Stdout),
        _ => None,
    });
    let question = move || Question::Log { id: live.id.get_value(), replica: replica.get(), stream: asked.get(), from: None };
    loaded(question, move |answer| match (answer, replica.get_untracked()) {
        (Answer::Log(Some((stream, chunk))), Some(name)) => {
            view! { <Picker ids replica stream asked/> <Output replica=name stream chunk/> }.erase()
        }
        _ => view! { <p class="card empty muted">"No replica was started yet."</p> }.erase(),
    })
}

/// Another replica is shown with the stream that was asked for; nobody's choice stays nobody's.
#[component]
fn Picker(ids: Memo<Vec<String>>, replica: Memo<Option<String>>, stream: LogStream, asked: Memo<Option<LogStream>>) -> impl IntoView {
    let live: JobLive = expect_context();
    let word = |stream: LogStream| if stream == LogStream::Stderr { "stderr" } else { "stdout" };
    let link = move |to: &str, stream: Option<LogStream>| {
        let stream = stream.map(|one| format!("&stream={}", word(one))).unwrap_or_default();
        format!("/jobs/{}?tab=logs&replica={to}{stream}", live.id.get_value())
    };
    let streams: Vec<_> = [LogStream::Stdout, LogStream::Stderr]
        .into_iter()
        .map(|one| {
            view! {
                <a href=move || link(&replica.get().unwrap_or_default(), Some(one)) aria-current=(stream == one).then_some("true")>
                    {word(one)}
                </a>
            }
            .erase()
        })
        .collect();
    view! {
        <nav class="filter" aria-label="Streams">{streams}</nav>
        <nav class="filter" aria-label="Replicas">
            {each(ids, String::clone, move |id| {
                let (short, me) = (id.rsplit('-').next().unwrap_or(&id).to_owned(), id.clone());
                view! {
                    <a href=move || link(&id, asked.get()) class="mono" aria-current=move || (replica.get().as_deref() == Some(&me)).then_some("true")>
                        {short}
                    </a>
                }
                .erase()
            })}
        </nav>
    }
    .erase()
}

#[component]
fn Output(replica: String, stream: LogStream, chunk: LogChunk) -> impl IntoView {
    let live: JobLive = expect_context();
    let (text, next, busy) = (RwSignal::new(chunk.text), StoredValue::new(chunk.next), StoredValue::new(false));
    let replica = StoredValue::new(replica);
    let view = NodeRef::<html::Pre>::new();
    let more = move || {
        if busy.get_value() {
            return;
        }
        busy.set_value(true);
        spawn_local(async move {
            let (Some(id), Some(name), Some(from)) = (live.id.try_get_value(), replica.try_get_value(), next.try_get_value()) else {
                return;
            };
            let question = Question::Log { id, replica: Some(name), stream: Some(stream), from: Some(from) };
            if let Ok(Answer::Log(Some((_, chunk)))) = ask(question).await {
                next.try_set_value(chunk.next);
                if !chunk.text.is_empty() {
                    text.try_update(|text| keep(text, &chunk.text));
                }
            }
            busy.try_set_value(false);
        });
    };
    Effect::new(move |_| {
        let timer = set_interval_with_handle(more, EACH);
        on_cleanup(move || {
            if let Ok(timer) = timer {
                timer.clear();
            }
        });
    });
    // Open at the end and stay there while the reader does; who scrolled up is left in peace.
    // The height of before tells where the reader was: the new text may be there already.
    let height = StoredValue::new(None::<i32>);
    Effect::new(move |_| {
        text.track();
        let Some(pre) = view.get() else { return };
        let at_end = height.get_value().is_none_or(|height| height - pre.scroll_top() - pre.client_height() < 40);
        request_animation_frame(move || {
            if at_end {
                pre.set_scroll_top(pre.scroll_height());
            }
            height.try_set_value(Some(pre.scroll_height()));
        });
    });
    view! {
        <section class="card">
            <pre class="log" node_ref=view hidden=move || text.read().is_empty() tabindex="0" aria-label="Output">{move || text.get()}</pre>
            <When on=move || text.read().is_empty()><p class="body muted">"Nothing was printed yet."</p></When>
        </section>
    }
    .erase()
}

/// Appends, and cuts the head at a line when the page has enough.
fn keep(text: &mut String, more: &str) {
    text.push_str(more);
    if text.len() > KEPT {
        let mut cut = text.len() - KEPT;
        while !text.is_char_boundary(cut) {
            cut += 1;
        }
        let line = text[cut..].find('\n').map_or(cut, |at| cut + at + 1);
        text.drain(..line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_loses_its_oldest_whole_lines() {
        let mut text = "ä first line\n".repeat(20_000);
        keep(&mut text, "last\n");
        assert!(text.len() <= KEPT);
        assert!(text.starts_with("ä first") && text.ends_with("last\n"));
    }
}

//! One loop's tuning: what runs now and by whom, and a form to run something else.
//! A change that somebody else made meanwhile is shown, never overwritten unseen.

use std::collections::BTreeMap;

use control::{form::Field, job::Phase, live::LoopView};
use leptos::{prelude::*, server_fn::ServerFn};

use super::tuning_field::TuningField;
use crate::{
    api::{error::ApiError, tuning::Tune},
    form::names,
    live::JobLive,
    ui::{
        erase::Erase,
        post::{Post, PostForm},
        time::Moment,
    },
};

/// What is being edited: only what differs from the running tuning, and on which revision it stands.
#[derive(Clone, Copy)]
pub struct Draft {
    pub running: Memo<LoopView>,
    /// Running values by dotted name.
    pub values: Memo<BTreeMap<String, String>>,
    /// Typed values by dotted name.
    pub edits: RwSignal<BTreeMap<String, String>>,
    pub base: RwSignal<u32>,
    pub post: Post,
}

impl Draft {
    fn new(running: Memo<LoopView>, live: JobLive) -> Self {
        let values = Memo::new(move |_| running.with(|one| names::flat(&one.params)));
        // What was typed without scripts and refused.
        let name = running.read_untracked().name.clone();
        let mut edits = live
            .refused
            .with_value(|refused| refused.as_ref().filter(|one| one.loop_name == name).map(|one| one.typed.clone()).unwrap_or_default());
        let mine = !edits.is_empty();
        edits.retain(|name, value| values.read_untracked().get(name) != Some(value));
        let draft = Self {
            running,
            values,
            edits: RwSignal::new(edits),
            base: RwSignal::new(running.read_untracked().revision),
            post: if mine { live.post(Tune::PATH) } else { Post::default() },
        };
        Effect::new(move |_| draft.follow());
        draft
    }

    /// While nothing is edited the form follows what runs; edits go once they run themselves.
    fn follow(self) {
        let running = self.running.read().revision;
        let applied = matches!(&*self.post.answer.read(), Some(Ok(Some(revision))) if *revision <= u64::from(running));
        if applied && self.base.get_untracked() < running {
            self.edits.update(BTreeMap::clear);
        }
        if self.edits.read_untracked().is_empty() && self.base.get_untracked() < running {
            self.rebase();
        }
    }

    /// What is typed now stands on what runs now; what was said about an older state is no longer true.
    fn rebase(self) {
        self.base.set(self.running.read_untracked().revision);
        if matches!(&*self.post.answer.read_untracked(), Some(Err(_))) {
            self.post.answer.set(None);
        }
    }

    /// Back to what runs.
    fn reset(self) {
        self.edits.update(BTreeMap::clear);
        self.rebase();
    }

    /// Changes one value; typing the running value again is no change.
    pub fn edit(self, name: &str, value: String) {
        let same = self.values.read_untracked().get(name) == Some(&value);
        self.edits.update(|edits| {
            if same {
                edits.remove(name)
            } else {
                edits.insert(name.to_owned(), value)
            };
        });
    }

    /// The message for one field of a refused tuning.
    pub fn error(self, name: &str) -> Option<String> {
        let answer = self.post.answer.read();
        let Some(Err(ApiError::Invalid { errors })) = &*answer else { return None };
        let tail = format!(".{name}");
        errors.iter().find(|error| error.field == name || error.field.ends_with(&tail)).map(|error| error.message.clone())
    }

    /// Somebody else's revision runs, and what is typed here stands on an older one.
    fn overtaken(self) -> bool {
        self.base.get() < self.running.read().revision && !self.edits.read().is_empty() && !self.post.pending.get()
    }

    /// The server said so, before or instead of the live stream.
    fn conflict(self) -> bool {
        matches!(&*self.post.answer.read(), Some(Err(ApiError::Conflict { .. })))
    }

    /// Whether some field that `of` picks was refused.
    fn refused(self, of: impl Fn(&str) -> bool) -> bool {
        matches!(&*self.post.answer.read(), Some(Err(ApiError::Invalid { errors })) if errors.iter().any(|error| of(&error.field)))
    }
}

/// The panel of the loop called `name`.
#[component]
pub fn Tuning(name: String) -> impl IntoView {
    let live: JobLive = expect_context();
    let found = live.loops.read_untracked().iter().find(|one| one.name == name).cloned()?;
    let running = Memo::new(move |_| live.loops.read().iter().find(|one| one.name == name).cloned().unwrap_or_else(|| found.clone()));
    let draft = Draft::new(running, live);
    let (name, kind) = running.with_untracked(|one| (one.name.clone(), one.kind.clone()));
    let law = live.laws.with_value(|laws| laws.iter().find(|info| info.kind == kind).cloned());
    let fields = law.map(|info| info.fields).unwrap_or_default();
    let label = format!("Tuning of {name}");
    Some(
        view! {
            <section class="card tune" aria-label=label>
                <header><h2>{name.clone()}</h2><span class="chip">{kind}</span></header>
                <div class="body">
                    <Running running/>
                    <Form name=name.clone() fields draft/>
                    <Undo name draft/>
                </div>
            </section>
        }
        .erase(),
    )
}

#[component]
fn Running(running: Memo<LoopView>) -> impl IntoView {
    let live: JobLive = expect_context();
    let said = Memo::new(move |_| match live.summary.read().phase {
        phase if phase.ended() => "was the last to run",
        Phase::Suspended => "runs when the job is resumed",
        Phase::Created => "will run",
        _ => "is running",
    });
    view! {
        <p class="muted">
            {move || {
                let one = running.get();
                view! {
                    <span>
                        {format!("Revision {} {}, set by {} at ", one.revision, said.get(), one.author)} <Moment at=one.tuned_at/>
                    </span>
                }
                .erase()
            }}
        </p>
    }
    .erase()
}

#[component]
fn Form(name: String, fields: Vec<Field>, draft: Draft) -> impl IntoView {
    let live: JobLive = expect_context();
    let ended = move || live.ended();
    let (guards, own): (Vec<_>, Vec<_>) = fields.into_iter().partition(names::is_guard);
    let rows = |fields: Vec<Field>| -> Vec<_> {
        fields.into_iter().map(|field| view! { <TuningField loop_name=name.clone() field draft/> }.erase()).collect()
    };
    let (own, guards) = (rows(own), (!guards.is_empty()).then(|| rows(guards)));
    let guards = guards.map(|rows| {
        view! { <details class="guards" prop:open=move || draft.refused(|name| name.contains("guards."))><summary>"Guards"</summary>{rows}</details> }
            .erase()
    });
    let next = move || draft.running.read().revision + 1;
    let idle = move || draft.edits.read().is_empty() && !matches!(&*draft.post.answer.read(), Some(Err(_)));
    // Without scripts nobody hears what is typed: the button must work, and the server finds out.
    let heard = RwSignal::new(false);
    Effect::new(move |_| heard.set(true));
    let idle_or_late = move || draft.edits.read().is_empty() || draft.overtaken() || draft.conflict();
    let blocked = move || draft.post.pending.get() || ended() || heard.get() && idle_or_late();
    view! {
        <PostForm post=draft.post to=Tune::PATH>
            <input type="hidden" name="id" value=live.id.get_value()/>
            <input type="hidden" name="loop_name" value=name/>
            <input type="hidden" name="base_revision" prop:value=move || draft.base.get().to_string() value=draft.base.get_untracked()/>
            {own}
            {guards}
            <Said draft/>
            <div class="acts">
                <button class="button" data-look="primary" type="submit" disabled=blocked>
                    {move || format!("Apply as revision {}", next())}
                </button>
                <button class="button" type="button" hidden=idle on:click=move |_| draft.reset()>"Reset"</button>
            </div>
        </PostForm>
    }
    .erase()
}

/// Conflicts and refusals, in words.
#[component]
fn Said(draft: Draft) -> impl IntoView {
    let overtaken = move || {
        draft.overtaken().then(|| {
            let (revision, author) = draft.running.with(|one| (one.revision, one.author.clone()));
            view! {
                <div class="notice" role="alert">
                    <p>{format!("Revision {revision} was set by {author} while you were editing. Its values are the ones struck through.")}</p>
                    <div class="acts">
                        <button class="button" type="button" on:click=move |_| draft.rebase()>"Keep mine on top of it"</button>
                        <button class="button" type="button" on:click=move |_| draft.reset()>"Take theirs"</button>
                    </div>
                </div>
            }
            .erase()
        })
    };
    let refused = move || {
        let error = draft.post.answer.get()?.err()?;
        let said = match &error {
            ApiError::Invalid { .. } => "Not applied: look at the marked fields.".to_owned(),
            // The notice above says it, with what can be done.
            ApiError::Conflict { .. } if draft.overtaken() => return None,
            other => other.to_string(),
        };
        (!draft.post.pending.get()).then(|| view! { <p class="error" role="alert">{said}</p> }.erase())
    };
    view! { {overtaken} {refused} }.erase()
}

/// Posts the values that undo brings back as a new revision.
#[component]
fn Undo(name: String, draft: Draft) -> impl IntoView {
    let live: JobLive = expect_context();
    let name = StoredValue::new(name);
    let post = Post::default();
    move || {
        let (revision, previous) = draft.running.with(|one| (one.revision, one.previous.clone()));
        previous.filter(|_| !live.ended()).map(|previous| {
            let previous = names::flat(&previous);
            let brings = draft.values.with(|now| back(now, &previous));
            let values: Vec<_> = previous
                .into_iter()
                .map(|(name, value)| view! { <input type="hidden" name=format!("params[{name}]") value=value/> }.erase())
                .collect();
            view! {
                <PostForm post to=Tune::PATH class="undo">
                    <input type="hidden" name="id" value=live.id.get_value()/>
                    <input type="hidden" name="loop_name" value=name.get_value()/>
                    <input type="hidden" name="base_revision" value=revision/>
                    {values}
                    <button class="button" type="submit" disabled=move || post.pending.get()>
                        {format!("Undo: {brings}")}
                    </button>
                    {move || post.refused()}
                </PostForm>
            }
            .erase()
        })
    }
}

/// `kp back to 1, cooldown_s back to 5`: what differs.
fn back(now: &BTreeMap<String, String>, before: &BTreeMap<String, String>) -> String {
    let changed = before.iter().filter(|(name, value)| now.get(*name) != Some(value));
    changed.map(|(name, value)| format!("{name} back to {value}")).collect::<Vec<_>>().join(", ")
}

//! What a person can do to a job: plain forms, so they work without WebAssembly; what is final asks first.
//! The question is a popover: Escape and a click beside it close it, by the browser alone.

use control::job::Phase;
use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    api::jobs::Command,
    live::JobLive,
    ui::{
        erase::{Erase, When},
        post::{Post, PostForm},
    },
};

/// Suspend or resume, stop, terminate; submit again or delete once the job has ended.
#[component]
pub fn Actions() -> impl IntoView {
    let live: JobLive = expect_context();
    let post = live.post(Command::PATH);
    let phase = Memo::new(move |_| live.summary.read().phase);
    let is = move |one: Phase| move || phase.get() == one;
    view! {
        <div class="acts">
            <When on=is(Phase::Running)><Act post command="suspend" label="Suspend"/></When>
            <When on=is(Phase::Suspended)><Act post command="resume" label="Resume" look="primary"/></When>
            <When on=move || matches!(phase.get(), Phase::Created | Phase::Running | Phase::Suspended)>
                <Act post command="stop" label="Stop"/>
            </When>
            <When on=move || !phase.get().ended()>
                <Confirm
                    id="terminate" label="Terminate…"
                    question="Replicas are killed at once. Work on the items that they hold is lost."
                >
                    <Act post command="terminate" label="Terminate now" look="danger"/>
                </Confirm>
            </When>
            <When on=move || phase.get().ended()>
                <a class="button" href=format!("/submit?from={}", live.id.get_value())>"Submit again…"</a>
                <Confirm id="delete" label="Delete…" question="The job is removed with its items, results, measurements and logs. Nothing brings them back.">
                    <form method="post" action=format!("/jobs/{}/delete", live.id.get_value())>
                        <button class="button" data-look="danger" type="submit">"Delete now"</button>
                    </form>
                </Confirm>
            </When>
            {move || post.refused()}
        </div>
    }
    .erase()
}

/// A button, and the question behind it.
#[component]
fn Confirm(id: &'static str, label: &'static str, question: &'static str, children: Children) -> impl IntoView {
    view! {
        <button class="button" data-look="danger" type="button" popovertarget=id>{label}</button>
        <div id=id popover="auto" class="card confirm" role="dialog" aria-label=label>
            <p>{question}</p>
            <div class="acts">
                {children()}
                <button class="button" type="button" popovertarget=id popovertargetaction="hide">"Cancel"</button>
            </div>
        </div>
    }
    .erase()
}

#[component]
fn Act(post: Post, command: &'static str, label: &'static str, #[prop(optional)] look: Option<&'static str>) -> impl IntoView {
    let live: JobLive = expect_context();
    view! {
        <PostForm post to=Command::PATH>
            <input type="hidden" name="id" value=live.id.get_value()/>
            <input type="hidden" name="command" value=command/>
            <button class="button" type="submit" disabled=move || post.pending.get() data-look=look>
                {label}
            </button>
        </PostForm>
    }
    .erase()
}

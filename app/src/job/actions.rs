//! What a person can do to a job: plain forms, so they work without WebAssembly; the final one asks first.

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

/// Suspend or resume, stop, terminate; nothing once the job has ended.
#[component]
pub fn Actions() -> impl IntoView {
    let live: JobLive = expect_context();
    let post = Post::default();
    let phase = Memo::new(move |_| live.summary.read().phase);
    let is = move |one: Phase| move || phase.get() == one;
    view! {
        <div class="acts">
            <When on=is(Phase::Running)><Act post command="suspend" label="Suspend"/></When>
            <When on=is(Phase::Suspended)><Act post command="resume" label="Resume"/></When>
            <When on=move || matches!(phase.get(), Phase::Created | Phase::Running | Phase::Suspended)>
                <Act post command="stop" label="Stop"/>
            </When>
            <When on=move || !phase.get().ended()>
                <details class="confirm">
                    <summary class="button" data-look="danger">"Terminate…"</summary>
                    <div class="card confirm-body">
                        <p>"Replicas are killed at once. Work on the items that they hold is lost."</p>
                        <Act post command="terminate" label="Terminate now"/>
                    </div>
                </details>
            </When>
            {move || post.refused()}
        </div>
    }
    .erase()
}

#[component]
fn Act(post: Post, command: &'static str, label: &'static str) -> impl IntoView {
    let live: JobLive = expect_context();
    view! {
        <PostForm post to=Command::PATH>
            <input type="hidden" name="id" value=live.id.get_value()/>
            <input type="hidden" name="command" value=command/>
            <button class="button" type="submit" disabled=move || post.pending.get() data-look=(command == "terminate").then_some("danger")>
                {label}
            </button>
        </PostForm>
    }
    .erase()
}

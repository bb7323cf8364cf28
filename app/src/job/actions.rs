//! What a person can do to a job: plain forms, so they work without WebAssembly; what is final asks first.
//! The question is a popover: Escape and a click beside it close it, by the browser alone.

use control::job::Phase;
use leptos::{form::ActionForm, prelude::*};

use crate::{api::jobs::Command, live::JobLive};

/// Suspend or resume, stop, terminate; submit again or delete once the job has ended.
#[component]
pub fn Actions() -> impl IntoView {
    let live: JobLive = expect_context();
    let action = ServerAction::<Command>::new();
    let phase = Memo::new(move |_| live.summary.read().phase);
    let error = move || {
        let said = action.value().get()?.err()?;
        Some(view! { <p class="error" role="alert">{said.to_string()}</p> })
    };
    let is = move |one: Phase| move || phase.get() == one;
    view! {
        <div class="acts">
            <Show when=is(Phase::Running)><Act action command="suspend" label="Suspend"/></Show>
            <Show when=is(Phase::Suspended)><Act action command="resume" label="Resume" look="primary"/></Show>
            <Show when=move || matches!(phase.get(), Phase::Created | Phase::Running | Phase::Suspended)>
                <Act action command="stop" label="Stop"/>
            </Show>
            <Show when=move || !phase.get().ended()>
                <Confirm
                    id="terminate" label="Terminate…"
                    question="Replicas are killed at once. Work on the items that they hold is lost."
                >
                    <Act action command="terminate" label="Terminate now" look="danger"/>
                </Confirm>
            </Show>
            <Show when=move || phase.get().ended()>
                <a class="button" href=format!("/submit?from={}", live.id.get_value())>"Submit again…"</a>
                <Confirm id="delete" label="Delete…" question="The job is removed with its items, results, measurements and logs. Nothing brings them back.">
                    <form method="post" action=format!("/jobs/{}/delete", live.id.get_value())>
                        <button class="button" data-look="danger" type="submit">"Delete now"</button>
                    </form>
                </Confirm>
            </Show>
            {error}
        </div>
    }
    .into_any()
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
    .into_any()
}

#[component]
fn Act(
    action: ServerAction<Command>,
    command: &'static str,
    label: &'static str,
    #[prop(optional)] look: Option<&'static str>,
) -> impl IntoView {
    let live: JobLive = expect_context();
    let pending = action.pending();
    view! {
        <ActionForm action>
            <input type="hidden" name="id" value=live.id.get_value()/>
            <input type="hidden" name="command" value=command/>
            <button class="button" type="submit" disabled=move || pending.get() data-look=look>
                {label}
            </button>
        </ActionForm>
    }
    .into_any()
}

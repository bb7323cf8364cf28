//! What a person can do to a job: plain forms, so they work without WebAssembly; the final one asks first.

use control::job::Phase;
use leptos::{form::ActionForm, prelude::*};

use crate::{api::jobs::Command, live::JobLive};

/// Suspend or resume, stop, terminate; nothing once the job has ended.
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
            <Show when=is(Phase::Suspended)><Act action command="resume" label="Resume"/></Show>
            <Show when=move || matches!(phase.get(), Phase::Created | Phase::Running | Phase::Suspended)>
                <Act action command="stop" label="Stop"/>
            </Show>
            <Show when=move || !phase.get().ended()>
                <details class="confirm">
                    <summary class="button" data-look="danger">"Terminate…"</summary>
                    <div class="card confirm-body">
                        <p>"Replicas are killed at once. Work on the items that they hold is lost."</p>
                        <Act action command="terminate" label="Terminate now"/>
                    </div>
                </details>
            </Show>
            {error}
        </div>
    }
    .into_any()
}

#[component]
fn Act(action: ServerAction<Command>, command: &'static str, label: &'static str) -> impl IntoView {
    let live: JobLive = expect_context();
    let pending = action.pending();
    view! {
        <ActionForm action>
            <input type="hidden" name="id" value=live.id.get_value()/>
            <input type="hidden" name="command" value=command/>
            <button class="button" type="submit" disabled=move || pending.get() data-look=(command == "terminate").then_some("danger")>
                {label}
            </button>
        </ActionForm>
    }
    .into_any()
}

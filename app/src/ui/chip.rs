//! A job's phase as a chip: shape and word, never colour alone.

use control::job::Phase;
use leptos::prelude::*;

use super::erase::Erase;

/// How urgent something is; styled by `data-tone`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Quiet,
    Good,
    Warn,
    Bad,
}

impl Tone {
    pub fn word(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

fn look(phase: Phase) -> (Tone, &'static str) {
    match phase {
        Phase::Created => (Tone::Quiet, "○"),
        Phase::Running => (Tone::Good, "▶"),
        // Two bars, drawn by the style sheet: the character is an emoji on some systems.
        Phase::Suspended => (Tone::Warn, ""),
        Phase::Stopping => (Tone::Warn, "◐"),
        Phase::Completed => (Tone::Good, "✓"),
        Phase::Failed => (Tone::Bad, "✕"),
        Phase::Stopped | Phase::Terminated => (Tone::Quiet, "■"),
    }
}

/// `▶ running`.
#[component]
pub fn PhaseChip(#[prop(into)] phase: Signal<Phase>) -> impl IntoView {
    view! {
        <span class="chip" data-tone=move || look(phase.get()).0.word() data-phase=move || phase.get().word()>
            <span aria-hidden="true">{move || look(phase.get()).1}</span>
            {move || phase.get().word()}
        </span>
    }
    .erase()
}

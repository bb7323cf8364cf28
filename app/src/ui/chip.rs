//! A job's phase as a chip: shape and word, never colour alone.

use control::job::Phase;
use leptos::prelude::*;

use super::{erase::Erase, words::count};

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

/// `▶ running`, `! completed, 5 dead`.
#[component]
pub fn PhaseChip(
    /// The phase, and how many items are dead.
    #[prop(into)]
    stand: Signal<(Phase, u64)>,
) -> impl IntoView {
    let look = move || match stand.get() {
        (Phase::Completed, 1..) => (Tone::Warn, "!"),
        (phase, _) => look(phase),
    };
    let said = move || match stand.get() {
        (phase @ Phase::Completed, dead @ 1..) => format!("{}, {} dead", phase.word(), count(dead)),
        (phase, _) => phase.word().to_owned(),
    };
    view! {
        <span class="chip" data-tone=move || look().0.word() data-phase=move || stand.get().0.word()>
            <span aria-hidden="true">{move || look().1}</span>
            {said}
        </span>
    }
    .erase()
}

//! The tabs of a job's page: links, so that each has an address and works without WebAssembly.

use leptos::{html, prelude::*};

use crate::{chart::marks::worth_showing, live::JobLive, ui::erase::Erase};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    Live,
    Decisions,
    Replicas,
    Items,
    Results,
    Logs,
    WhatIf,
    Configuration,
}

impl Tab {
    pub const ALL: [Self; 8] =
        [Self::Live, Self::Decisions, Self::Replicas, Self::Items, Self::Results, Self::Logs, Self::WhatIf, Self::Configuration];

    pub fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Decisions => "decisions",
            Self::Replicas => "replicas",
            Self::Items => "items",
            Self::Results => "results",
            Self::Logs => "logs",
            Self::WhatIf => "what-if",
            Self::Configuration => "configuration",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Live => "Live",
            Self::Decisions => "Decisions",
            Self::Replicas => "Replicas",
            Self::Items => "Items",
            Self::Results => "Results",
            Self::Logs => "Logs",
            Self::WhatIf => "What if",
            Self::Configuration => "Configuration",
        }
    }

    /// Unknown words lead to the live tab.
    pub fn from_word(word: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|tab| Some(tab.word()) == word).unwrap_or(Self::Live)
    }
}

/// The row of links.
#[component]
pub fn Tabs(tab: Memo<Tab>) -> impl IntoView {
    let live: JobLive = expect_context();
    let number = move |one: Tab| match one {
        Tab::Decisions => live.marks.read().iter().filter(|mark| worth_showing(mark)).count(),
        Tab::Replicas => live.replicas.read().iter().filter(|replica| replica.ended.is_none()).count(),
        _ => 0,
    };
    let links: Vec<_> = Tab::ALL
        .into_iter()
        .map(|one| {
            let href = format!("/jobs/{}?tab={}", live.id.get_value(), one.word());
            view! {
                <a href=href aria-current=move || (tab.get() == one).then_some("page")>
                    {one.title()} <span class="muted">{move || Some(number(one)).filter(|n| *n > 0).map(|n| format!(" {n}"))}</span>
                </a>
            }
            .erase()
        })
        .collect();
    let row = NodeRef::<html::Nav>::new();
    // On a narrow window the chosen one may stand beyond the edge.
    Effect::new(move |_| {
        tab.track();
        let Some(row) = row.get() else { return };
        if let Ok(Some(chosen)) = row.query_selector("[aria-current]") {
            let before = chosen.get_bounding_client_rect().left() - row.get_bounding_client_rect().left();
            row.set_scroll_left(row.scroll_left() + before as i32 - row.client_width() / 3);
        }
    });
    view! { <nav node_ref=row class="tabs" aria-label="Job">{links}</nav> }.erase()
}

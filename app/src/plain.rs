//! The frame of pages that the server alone draws, and that need no WebAssembly: it looks as that of the others.

use leptos::prelude::*;

use crate::{frame::brand, ui::erase::Erase};

/// A whole document, at a path of the rail.
pub fn plain(title: &str, path: &'static str, viewer: &str, body: impl FnOnce() -> AnyView) -> String {
    let link = |to: &'static str, name: &'static str| {
        view! { <a class="rail-link" href=to aria-current=(to == path).then_some("page")>{name}</a> }.erase()
    };
    let (title, viewer) = (format!("{title} · Asperathos"), viewer.to_owned());
    let draw = || {
        view! {
            <html lang="en">
                <head>
                    <meta charset="utf-8"/>
                    <meta name="viewport" content="width=device-width, initial-scale=1"/>
                    <meta name="color-scheme" content="light dark"/>
                    <link rel="icon" href="/favicon.ico" sizes="any"/>
                    <link rel="stylesheet" href="/pkg/asperathos.css"/>
                    <title>{title}</title>
                </head>
                <body>
                    <a class="skip" href="#main">"Skip to the page"</a>
                    <div class="frame">
                        <nav class="rail" aria-label="Main">
                            {brand()}
                            {link("/jobs", "Jobs")} {link("/submit", "Submit")} {link("/clusters", "Clusters")}
                            <form class="person" method="post" action="/sign-out">
                                <span class="person-name">{viewer}</span>
                                <button class="button" data-look="small" type="submit">"Sign out"</button>
                            </form>
                        </nav>
                        <main id="main" tabindex="-1">{body()}</main>
                    </div>
                </body>
            </html>
        }
        .erase()
        .to_html()
    };
    format!("<!DOCTYPE html>{}", Owner::new().with(draw))
}

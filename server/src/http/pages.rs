//! Pages: the Leptos app with what it needs from the server in its context.

use std::sync::Arc;

use app::backend::Backend;
use app::viewer::Viewer;
use axum::Router;
use axum::http::request::Parts;
use leptos::prelude::{provide_context, use_context};
use leptos_axum::{LeptosRoutes, generate_route_list};

use super::Web;

/// Gives pages and server functions their backend, but only to who has signed in.
pub fn context(web: &Web) -> impl Fn() + Clone + Send + Sync + 'static {
    let backend: Arc<dyn Backend> = web.server.clone();
    move || {
        let viewer = use_context::<Parts>().and_then(|parts| parts.extensions.get::<Viewer>().cloned());
        if let Some(viewer) = viewer {
            provide_context(viewer);
            provide_context(backend.clone());
        }
    }
}

pub fn routes(web: &Web) -> Router<Web> {
    let options = web.leptos.clone();
    let routes = generate_route_list(app::App);
    let shell = {
        let options = options.clone();
        move || app::shell(options.clone())
    };
    Router::new()
        .leptos_routes_with_context(web, routes, context(web), shell)
        .fallback(leptos_axum::file_and_error_handler_with_context::<Web, _>(context(web), app::shell))
}

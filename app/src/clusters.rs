//! The page of clusters: a plain one, which the server alone draws. The browser part does not know it.

use control::plugin::FieldError;
use leptos::prelude::*;
use serde::Serialize;

use crate::{
    form::field::{Row, escaped},
    pages::sign_in::SignIn,
    plain::plain,
    ui::{erase::Erase, words::duration},
};

/// What is shown of a cluster: nothing that opens it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClusterView {
    pub name: String,
    /// The one that the server was started with.
    pub own: bool,
    /// The address of its API server.
    pub server: Option<String>,
    /// Of jobs that name none.
    pub namespace: Option<String>,
    /// Of its Kubernetes.
    pub version: Option<String>,
    pub reachable: bool,
    /// How long ago it answered last, seconds; `None`: it never did.
    pub age_s: Option<f64>,
    /// How it stands, in sentences.
    pub says: String,
    /// Jobs on it that have not ended.
    pub jobs: u64,
}

/// What was typed, but for the kubeconfig, and what was wrong with it.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// The cluster that was to be changed; `None`: a new one.
    pub of: Option<String>,
    pub name: String,
    pub context: String,
    pub namespace: String,
    pub pods_listen: String,
    pub in_cluster: bool,
    pub errors: Vec<FieldError>,
}

/// The whole document. `said` is what became of the last action.
pub fn page(viewer: &str, clusters: Vec<ClusterView>, typed: Typed, said: Option<String>) -> String {
    let (new, changed) = if typed.of.is_some() { (Typed::default(), Some(typed)) } else { (typed, None) };
    let body = move || {
        let wrong = |typed: &Typed| {
            let problems: Vec<_> = typed.errors.iter().filter(|error| error.field.is_empty()).map(|error| error.message.clone()).collect();
            (!problems.is_empty()).then(|| notice(problems.join(" "), true))
        };
        let trouble = changed.as_ref().and_then(wrong).or_else(|| wrong(&new));
        let only_own = clusters.len() < 2;
        let empty = only_own.then(|| {
            view! { <p class="muted">"No other cluster has been added yet. Jobs that name none run on the server’s own, “default”."</p> }.erase()
        });
        let rows: Vec<_> = clusters.into_iter().map(|one| row(one, changed.as_ref())).collect();
        view! {
            <header class="head"><div class="grow"><h1>"Clusters"</h1></div></header>
            <div class="stack clusters">
                {said.map(|said| notice(said, false))}
                {trouble}
                <div class="card scroll">
                    <table class="cards">
                        <thead><tr>
                            <th scope="col">"Name"</th><th scope="col">"Server"</th><th scope="col">"Namespace"</th>
                            <th scope="col">"Kubernetes"</th><th scope="col">"State"</th><th scope="col" class="num">"Jobs"</th>
                            <th scope="col"><span class="hidden">"Actions"</span></th>
                        </tr></thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
                {empty}
                <section class="card">
                    <header><h2>"Add a cluster"</h2></header>
                    <div class="body">{fields("/clusters".to_owned(), &new, true)}</div>
                </section>
            </div>
        }
        .erase()
    };
    plain("Clusters", "/clusters", viewer, body)
}

/// For who is not signed in.
pub fn stranger() -> String {
    plain("Sign in", "", "", || view! { <SignIn/> }.erase())
}

fn notice(text: String, bad: bool) -> AnyView {
    if bad {
        view! { <div class="card summary" role="alert"><h2>"That did not work"</h2><p>{text}</p></div> }.erase()
    } else {
        view! { <p class="card body" role="status">{text}</p> }.erase()
    }
}

fn row(one: ClusterView, changed: Option<&Typed>) -> AnyView {
    let tone = if one.reachable { "good" } else { "bad" };
    let word = if one.reachable { "answers" } else { "not usable" };
    let age = one.age_s.map_or_else(|| "It never answered.".to_owned(), |age| format!("Heard {} ago.", duration(age.max(1.0))));
    let says = if one.reachable { age } else { format!("{} {age}", one.says) };
    let at = format!("/clusters/{}", one.name);
    let act = |verb: &str, label: &'static str| {
        view! { <form method="post" action=format!("{at}/{verb}")><button class="button" data-look="small" type="submit">{label}</button></form> }.erase()
    };
    let typed = changed.filter(|typed| typed.of.as_deref() == Some(&one.name)).cloned();
    let open = typed.is_some();
    let typed = typed.unwrap_or_else(|| Typed { namespace: one.namespace.clone().unwrap_or_default(), ..Typed::default() });
    let more = (!one.own).then(|| {
        view! {
            <tr class="under"><td colspan="7">
                <details open=open>
                    <summary>{format!("Give {} another kubeconfig", one.name)}</summary>
                    {fields(at.clone(), &typed, false)}
                </details>
            </td></tr>
        }
        .erase()
    });
    view! {
        <tr>
            <th scope="row">{one.name.clone()}</th>
            <td class="mono" data-label="Server">{one.server.unwrap_or_else(|| "—".to_owned())}</td>
            <td data-label="Namespace">{one.namespace.unwrap_or_else(|| "—".to_owned())}</td>
            <td data-label="Kubernetes">{one.version.unwrap_or_else(|| "—".to_owned())}</td>
            <td class="state wide"><span class="chip" data-tone=tone>{word}</span>" "<span class="muted">{says}</span></td>
            <td class="num" data-label="Jobs">{one.jobs}</td>
            <td class="acts">{act("test", "Test")}{(!one.own).then(|| act("remove", "Remove"))}</td>
        </tr>
        {more}
    }
    .erase()
}

fn fields(action: String, typed: &Typed, new: bool) -> AnyView {
    let error = |field: &str| {
        let said: Vec<String> =
            typed.errors.iter().filter(|error| error.field == field).map(|error| format!("It {}.", error.message)).collect();
        (!said.is_empty()).then(|| said.join(" "))
    };
    // Several forms of one page: their ids must differ, their names need not.
    let id = |field: &str| format!("{}-{field}", if new { "new" } else { &action["/clusters/".len()..] });
    let text = |field: &'static str, label: &'static str, value: &str, help: &'static str| {
        let (id, value, wrong) = (id(field), value.to_owned(), error(field));
        let invalid = wrong.is_some().then_some("true");
        view! { <Row name=id.clone() label help error=wrong><input id=id.clone() name=field type="text" value=value aria-invalid=invalid aria-describedby=format!("{id}-help {id}-error")/></Row> }.erase()
    };
    let (kubeconfig, wrong) = (id("kubeconfig"), error("kubeconfig"));
    let invalid = wrong.is_some().then_some("true");
    let name = new.then(|| text("name", "Name", &typed.name, "By which jobs choose it: small letters, digits and -, such as east-1."));
    let in_cluster = error("in_cluster");
    view! {
        <form class="submit" method="post" action=action.clone() autocomplete="off">
            <div class="fields">{name}</div>
            <Row name=kubeconfig.clone() label="Kubeconfig" error=wrong
                help="The text of the file with its data embedded: kubectl config view --minify --flatten. It is kept encrypted and never shown again.">
                <textarea
                    id=kubeconfig.clone() name="kubeconfig" rows="8" spellcheck="false" class="mono" aria-invalid=invalid
                    aria-describedby=format!("{kubeconfig}-help {kubeconfig}-error") inner_html=escaped("")
                ></textarea>
            </Row>
            <div class="fields">
                {text("context", "Context", &typed.context, "Of the kubeconfig. Empty: its current one.")}
                {text("namespace", "Namespace", &typed.namespace, if new { "Of jobs that name none. Empty: that of the kubeconfig." } else { "Of jobs that name none. Empty: as it was." })}
                {text("pods_listen", "Queue address", &typed.pods_listen, if new { "Of this machine, as pods of that cluster reach it. Empty: --pods-listen." } else { "As pods of that cluster reach this machine. Empty: as it was." })}
            </div>
            <div class="field">
                <label class="check"><input type="checkbox" name="in_cluster" value="true" checked=typed.in_cluster/>"This server is a pod of it, and needs no kubeconfig"</label>
                {in_cluster.map(|error| view! { <p class="error">{error}</p> }.erase())}
            </div>
            <p><button class="button" data-look="primary" type="submit">{if new { "Add" } else { "Change" }}</button></p>
        </form>
    }
    .erase()
}

//! Reads the tree and holds the rules that no compiler knows: who may depend on whom, what may be named where,
//! and that a file says its job and has only one. Each rule is also shown a tree that breaks it.

use std::fs;
use std::path::Path;

/// A text file of the tree, by its path from the root.
struct File {
    path: String,
    text: String,
}

/// What is wrong, one sentence each, naming the file.
type Faults = Vec<String>;

/// Files over the limit, with the reason why they stay whole.
const LONG_FILES: &[(&str, &str)] = &[];
const LONGEST: usize = 400;

/// Crates in the order of dependency: each may use those before it, never those after.
const LAYERS: [&str; 3] = ["control", "app", "server"];

/// A word of code and the only places, as path prefixes, where it may stand.
const WORDS: &[(&str, &[&str])] = &[
    // One place knows the database.
    ("sqlx::", &["server/src/store/"]),
    // `cli/serve.rs` is the part of `main` that opens the port; `backend.rs` reads the request that leptos_axum
    // puts into context, whose types are axum's.
    ("axum::", &["server/src/http/", "server/src/main.rs", "server/src/cli/serve.rs", "app/src/backend.rs"]),
    ("kube::", &["server/src/platform/kubejobs", "server/src/actuator/k8s_", "server/src/monitor/k8s_"]),
    ("k8s_openapi::", &["server/src/platform/kubejobs", "server/src/actuator/k8s_", "server/src/monitor/k8s_"]),
];

/// The law has no clock, no chance and no IO: the same arguments give the same answer, also in the browser.
const IMPURE: &[&str] = &["std::fs", "std::net", "std::process", "std::env", "std::thread", "SystemTime", "Instant", "rand::", "tokio::"];

#[test]
fn the_tree_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the server lies in the repository");
    let mut files = Vec::new();
    read(root, root, &mut files);
    assert!(50 < files.len(), "only {} files were found below {}", files.len(), root.display());
    let faults = faults(&files);
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

fn faults(files: &[File]) -> Faults {
    [dependencies(files), words(files), purity(files), features(files), heads(files), lengths(files, LONG_FILES)].concat()
}

/// `control ← app ← server`, never back.
fn dependencies(files: &[File]) -> Faults {
    let mut faults = Faults::new();
    for (place, layer) in LAYERS.iter().enumerate() {
        let Some(manifest) = files.iter().find(|file| file.path == format!("{layer}/Cargo.toml")) else {
            faults.push(format!("{layer}/Cargo.toml is missing"));
            continue;
        };
        for name in dependency_names(&manifest.text) {
            if LAYERS[place + 1..].contains(&name.as_str()) {
                faults.push(format!("{}: {layer} must not depend on {name}", manifest.path));
            }
        }
    }
    faults
}

/// Names under every kind of `[…dependencies]`, also as `[dependencies.NAME]`.
fn dependency_names(manifest: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            inside = section.ends_with("dependencies");
            if let Some((before, name)) = section.rsplit_once('.')
                && before.ends_with("dependencies")
            {
                names.push(name.to_owned());
            }
        } else if inside && !line.starts_with('#') {
            let name: String = line.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect();
            names.push(name);
        }
    }
    names
}

/// A word stands only where it may.
fn words(files: &[File]) -> Faults {
    let mut faults = Faults::new();
    for file in sources(files) {
        for (word, places) in WORDS {
            if places.iter().any(|place| file.path.starts_with(place)) {
                continue;
            }
            for line in lines_with(&file.text, word) {
                faults.push(format!("{}:{line}: `{word}` may stand only in {}", file.path, places.join(", ")));
            }
        }
    }
    faults
}

fn purity(files: &[File]) -> Faults {
    let mut faults = Faults::new();
    for file in sources(files).filter(|file| file.path.starts_with("control/")) {
        for word in IMPURE {
            for line in lines_with(&file.text, word) {
                faults.push(format!("{}:{line}: control is pure and must not name `{word}`", file.path));
            }
        }
    }
    faults
}

/// `cfg(feature)` only on a `mod` line of `app/src/lib.rs` or a `mod.rs`: code never has two faces in one place.
fn features(files: &[File]) -> Faults {
    let mut faults = Faults::new();
    for file in sources(files).filter(|file| file.path.starts_with("app/")) {
        let may = file.path == "app/src/lib.rs" || file.path.ends_with("/mod.rs");
        let mut lines = file.text.lines().enumerate().peekable();
        while let Some((number, line)) = lines.next() {
            let code = code(line);
            if !(code.contains("cfg") && code.contains("feature") && code.contains('=')) {
                continue;
            }
            let next = lines.peek().map_or("", |(_, line)| line.trim());
            let on_mod = ["mod ", "pub mod ", "pub(crate) mod "].iter().any(|start| next.starts_with(start));
            if !may || !on_mod {
                faults.push(format!("{}:{}: `cfg(feature)` may stand only on a `mod` line", file.path, number + 1));
            }
        }
    }
    faults
}

/// Every source file says its job before anything else.
fn heads(files: &[File]) -> Faults {
    let mut faults = Faults::new();
    for file in files {
        let starts: &[&str] = match file.path.rsplit('.').next() {
            Some("rs") => &["//! "],
            Some("ts") => &["// ", "/* ", "/** "],
            Some("css") => &["/* "],
            _ => continue,
        };
        if !starts.iter().any(|start| file.text.starts_with(start)) {
            faults.push(format!("{}: the first line must say the file's job, in a comment", file.path));
        }
    }
    faults
}

fn lengths(files: &[File], excepted: &[(&str, &str)]) -> Faults {
    let mut faults = Faults::new();
    for file in files.iter().filter(|file| [".rs", ".ts", ".css"].iter().any(|end| file.path.ends_with(end))) {
        let lines = file.text.lines().count();
        let listed = excepted.iter().any(|(path, _)| *path == file.path);
        if LONGEST < lines && !listed {
            faults.push(format!("{}: {lines} lines, more than {LONGEST}: it has more than one job", file.path));
        }
        if lines <= LONGEST && listed {
            faults.push(format!("{}: {lines} lines; the exception is no longer needed", file.path));
        }
    }
    for (path, _) in excepted.iter().filter(|(path, _)| !files.iter().any(|file| file.path == *path)) {
        faults.push(format!("{path}: an exception for a file that is not there"));
    }
    faults
}

/// Code of our crates; tests beside `src` may name what they like.
fn sources(files: &[File]) -> impl Iterator<Item = &File> {
    files.iter().filter(|file| file.path.ends_with(".rs") && file.path.contains("src/") && !file.path.starts_with("xtask/"))
}

/// Numbers of the lines whose code, comments left out, has the word on its own.
fn lines_with(text: &str, word: &str) -> Vec<usize> {
    let begins_word = |line: &str| {
        line.match_indices(word).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + word.len()..].chars().next();
            let joined = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            !joined(before) && (word.ends_with("::") || !joined(after))
        })
    };
    text.lines().enumerate().filter(|(_, line)| begins_word(code(line))).map(|(number, _)| number + 1).collect()
}

/// A line without its comment. `://` of an address is none.
fn code(line: &str) -> &str {
    let comment = line.match_indices("//").find(|(at, _)| !line[..*at].ends_with(':'));
    comment.map_or(line, |(at, _)| &line[..at])
}

/// Every text file that a rule looks at; what tools make is left out.
fn read(root: &Path, folder: &Path, into: &mut Vec<File>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("could not list {}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("a folder's entry can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && !["target", "node_modules", "data"].contains(&name.as_str()) {
                read(root, &path, into);
            }
        } else if name == "Cargo.toml" || [".rs", ".ts", ".css"].iter().any(|end| name.ends_with(end)) {
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("could not read {}: {error}", path.display()));
            let path = path.strip_prefix(root).expect("it lies below the root").to_string_lossy().into_owned();
            into.push(File { path, text });
        }
    }
}

/// A tree of one bad file beside three good manifests.
fn tree(path: &str, text: &str) -> Vec<File> {
    let mut files: Vec<File> = LAYERS
        .iter()
        .filter(|layer| path != format!("{layer}/Cargo.toml"))
        .map(|layer| File { path: format!("{layer}/Cargo.toml"), text: String::new() })
        .collect();
    files.push(File { path: path.to_owned(), text: text.to_owned() });
    files
}

#[test]
fn each_rule_can_fail() {
    let long = format!("//! Long.\n{}", "fn f() {}\n".repeat(LONGEST));
    let bad = [
        ("control/Cargo.toml", "[dependencies]\nserde = \"1\"\nserver = { path = \"../server\" }", "must not depend on server"),
        ("control/Cargo.toml", "[dev-dependencies]\napp.workspace = true", "must not depend on app"),
        ("app/Cargo.toml", "[dependencies.server]\npath = \"../server\"", "must not depend on server"),
        ("server/src/manager/mod.rs", "//! Jobs.\nuse sqlx::query;", "`sqlx::` may stand only"),
        ("server/src/store_helper.rs", "//! Near the store.\nfn f() { sqlx::query(\"\"); }", "`sqlx::` may stand only"),
        ("app/src/pages/job.rs", "//! A page.\nuse axum::Router;", "`axum::` may stand only"),
        ("server/src/monitor/cpu.rs", "//! CPU.\nuse kube::Client;", "`kube::` may stand only"),
        ("control/src/guard.rs", "//! Guards.\nlet now = std::time::Instant::now();", "control is pure"),
        ("app/src/live.rs", "//! Live.\n#[cfg(feature = \"ssr\")]\nmod server;", "`cfg(feature)` may stand only"),
        ("app/src/lib.rs", "//! App.\n#[cfg(feature = \"ssr\")]\nfn only_here() {}", "`cfg(feature)` may stand only"),
        ("app/src/ui/mod.rs", "//! Parts.\nlet x = cfg!(feature = \"ssr\");", "`cfg(feature)` may stand only"),
        ("app/src/units.rs", "use std::fmt;\n//! Too late.", "must say the file's job"),
        ("style/base.css", "body { margin: 0 }", "must say the file's job"),
        ("end2end/server.ts", "import x from \"x\";", "must say the file's job"),
        ("app/src/long.rs", &long, "more than 400"),
    ];
    for (path, text, expected) in bad {
        let found = faults(&tree(path, text));
        assert!(found.len() == 1 && found[0].contains(expected), "{path} should be told `{expected}`, was told {found:?}");
    }
}

#[test]
fn what_is_allowed_passes() {
    let good = [
        ("server/src/store/jobs.rs", "//! Jobs.\nuse sqlx::query;"),
        ("server/src/http/v1.rs", "//! REST.\nuse axum::Router;"),
        ("server/src/platform/kubejobs/pod.rs", "//! Pods.\nuse kube::Client;"),
        ("server/src/manager/mod.rs", "//! Knows nothing of sqlx:: or axum::.\nlet my_sqlx = \"http://sqlx\"; // sqlx::query"),
        ("app/src/lib.rs", "//! App.\n#[cfg(feature = \"ssr\")]\npub mod backend;\n#[cfg(all(test, feature = \"ssr\"))]\nmod tests;"),
        ("server/Cargo.toml", "[dependencies]\napp.workspace = true\ncontrol.workspace = true"),
        ("control/src/guard.rs", "//! Guards of each instance.\nstruct Instants;"),
    ];
    for (path, text) in good {
        assert_eq!(faults(&tree(path, text)), Faults::new(), "{path}");
    }
}

#[test]
fn exceptions_end_with_their_reason() {
    let short = tree("app/src/short.rs", "//! Short.");
    assert_eq!(lengths(&short, &[("app/src/short.rs", "a table")]).len(), 1);
    assert_eq!(lengths(&short, &[("app/src/gone.rs", "a table")]).len(), 1);
}

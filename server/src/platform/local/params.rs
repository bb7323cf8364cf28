//! What a user sets for local replicas, and its check against this machine: programs and folders must exist.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf, absolute},
    sync::LazyLock,
};

use control::plugin::FieldError;
use garde::Validate;
use rustix::fs::{Access, access};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Local;
use crate::platform::{
    read::{joined, read},
    variables::wrong_variable,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct LocalParams {
    /// The program and its arguments, one a line: no shell reads them.
    /// The program is found on the PATH, or is a path to a file.
    #[garde(skip)]
    #[schemars(title = "Command")]
    pub command: Vec<String>,
    /// Environment variables of the worker, one `NAME=value` a line.
    /// REDIS_HOST, REDIS_PORT, REDIS_QUEUE and ASPERATHOS_* are set by the server.
    #[garde(skip)]
    #[schemars(title = "Environment")]
    pub env: BTreeMap<String, String>,
    /// The folder in which the worker runs. Empty: a folder of its own for each replica.
    #[garde(skip)]
    #[schemars(title = "Working folder")]
    pub working_dir: String,
    /// How long a replica may take to end when it is asked to (TERM), before it is killed.
    #[garde(range(min = 0.0, max = 600.0))]
    #[schemars(title = "Grace", extend("x-unit" = "s", "x-step" = 1))]
    pub grace_s: f64,
    /// How much is kept of each replica's output, for stdout and stderr each. The newest half stays when it is full.
    #[garde(range(min = 64, max = 1_048_576))]
    #[schemars(title = "Log limit", extend("x-unit" = "KiB", "x-step" = 64))]
    pub log_limit_kib: u32,
    /// How far the worker stands back for other programs: 0 is equal, 19 takes only idle CPU.
    #[garde(range(min = 0, max = 19))]
    #[schemars(title = "Niceness", extend("x-step" = 1))]
    pub nice: i32,
}

impl Default for LocalParams {
    fn default() -> Self {
        Self { command: Vec::new(), env: BTreeMap::new(), working_dir: String::new(), grace_s: 10.0, log_limit_kib: 1024, nice: 0 }
    }
}

impl LocalParams {
    /// The file to run. A path with a slash is meant from the working folder; a bare name is looked up on the PATH.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the program.
    pub fn program(&self) -> Result<PathBuf, String> {
        let Some(name) = self.command.first().filter(|name| !name.trim().is_empty()) else {
            return Err("Name the program to run in the first line.".to_owned());
        };
        if name.contains('/') {
            // The process changes its folder before it runs the program, so that the path must be whole.
            let path = absolute(Path::new(&self.working_dir).join(name)).map_err(|error| error.to_string())?;
            return if !path.exists() {
                Err(format!("There is no file {}.", path.display()))
            } else if executable(&path) {
                Ok(path)
            } else {
                Err(format!("{} is not an executable file.", path.display()))
            };
        }
        let path = self.env.get("PATH").map_or(search_path(), OsStr::new);
        let found = env::split_paths(path).map(|folder| folder.join(name)).find(|file| executable(file));
        found.and_then(|file| absolute(file).ok()).ok_or_else(|| {
            let hint = if name.contains(char::is_whitespace) { " Write each argument on a line of its own." } else { "" };
            format!("There is no program {name:?} in the folders of PATH.{hint}")
        })
    }
}

/// Where replicas find programs: the server's own `PATH`, and last the folder of the server itself, so that
/// `asperathos worker` is found wherever the server was started from.
pub fn search_path() -> &'static OsStr {
    static SEARCH_PATH: LazyLock<OsString> = LazyLock::new(|| {
        let path = env::var_os("PATH").unwrap_or_default();
        let own = env::current_exe().ok().and_then(|program| program.parent().map(Path::to_path_buf));
        // A folder whose name cannot stand in a PATH is left out.
        env::join_paths(env::split_paths(&path).chain(own)).unwrap_or(path)
    });
    &SEARCH_PATH
}

fn executable(file: &Path) -> bool {
    file.is_file() && access(file, Access::EXEC_OK).is_ok()
}

/// Reads the params and checks them against this machine.
///
/// # Errors
/// All problems at once, by field.
pub fn check(params: &Value) -> Result<LocalParams, Vec<FieldError>> {
    let (read, unread) = read::<Local>(params);
    let Some(read) = read else { return Err(unread) };
    let mut found = Vec::new();
    if let Err(message) = read.program() {
        found.push(FieldError::new("command", message));
    } else if read.command.iter().any(|part| part.contains('\0')) {
        found.push(FieldError::new("command", "An argument has a NUL byte, which no program can be given."));
    }
    for (name, value) in &read.env {
        found.extend(wrong_variable(name, value).map(|message| FieldError::new("env", message)));
    }
    if !read.working_dir.is_empty() && !Path::new(&read.working_dir).is_dir() {
        found.push(FieldError::new("working_dir", format!("There is no folder {}; leave it empty for one of its own.", read.working_dir)));
    }
    let errors = joined(unread, found);
    if errors.is_empty() { Ok(read) } else { Err(errors) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::check;

    fn wrong(params: serde_json::Value) -> Vec<String> {
        let mut fields: Vec<String> = check(&params).unwrap_err().into_iter().map(|error| error.field).collect();
        fields.sort();
        fields
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        assert_eq!(
            wrong(json!({
                "command": ["no-such-program-anywhere"],
                "env": {"REDIS_HOST": "x", "ASPERATHOS_JOB": "y", "A=B": "z", "GOOD": "1"},
                "working_dir": "/no/such/folder",
                "grace_s": 9999,
            })),
            ["command", "env", "env", "env", "grace_s", "working_dir"]
        );
        assert_eq!(
            wrong(json!({"command": ["sleep"], "env": {"A=B": "x", "": "y", "C": 5}})),
            ["env", "env", "env.C"],
            "one wrong value hides no other"
        );
        assert_eq!(wrong(json!({})), ["command"]);
        assert_eq!(wrong(json!({"command": ["/etc/passwd"]})), ["command"]);
    }

    #[test]
    fn programs_are_found_on_the_path_or_from_the_working_folder() {
        assert!(check(&json!({"command": ["sleep", "1"]})).is_ok());
        assert!(check(&json!({"command": ["./sh"], "working_dir": "/bin"})).unwrap().program().unwrap().is_absolute());
        // The server's own folder comes last: here that of this test.
        let own = std::env::current_exe().unwrap();
        assert!(check(&json!({"command": [own.file_name().unwrap().to_str().unwrap()]})).is_ok());
        assert_eq!(wrong(json!({"command": ["sleep", "1"], "env": {"PATH": "/no/such/folder"}})), ["command"]);
    }
}

//! Starts the process of a replica: its environment, folder, logs and group, all its own.

use std::{
    env, fs,
    net::IpAddr,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, setpriority_pgrp};

use super::{
    params::{LocalParams, search_path},
    tree::stat,
};
use crate::platform::{Handle, Launch, LogStream, Place, PlatformError, logs::Logs, variables};

/// All that a worker inherits: enough to find programs and speak a language, none of the server's secrets.
const INHERITED: [&str; 6] = ["HOME", "USER", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV"];

/// Runs the program of a replica whose files are in `folder`. The child outlives the server.
///
/// # Errors
/// When its folder, its logs or its program fail.
pub fn spawn(launch: &Launch, params: &LocalParams, folder: &Path) -> Result<(Child, Handle, Logs), PlatformError> {
    let replica = &launch.replica;
    let work = folder.join("work");
    fs::create_dir_all(&work).map_err(|cause| PlatformError::Folder { path: work.clone(), cause })?;
    let open_logs = |cause| PlatformError::OpenLogs { replica: replica.clone(), cause };
    let logs = Logs::create(folder, u64::from(params.log_limit_kib) * 1024).map_err(open_logs)?;
    let stdout = logs.writer(LogStream::Stdout).map_err(open_logs)?;
    let stderr = logs.writer(LogStream::Stderr).map_err(open_logs)?;

    let name = params.command.first().cloned().unwrap_or_default();
    let run = |cause| PlatformError::Run { program: name.clone(), cause };
    let program = params.program().map_err(|why| run(std::io::Error::other(why)))?;
    let mut command = Command::new(program);
    command
        .arg0(&name)
        .args(params.command.iter().skip(1))
        .env_clear()
        .envs(INHERITED.iter().filter_map(|name| env::var_os(name).map(|value| (name, value))))
        .env("PATH", search_path())
        .envs(&params.env)
        .envs(launch.extra_env.iter().map(|(name, value)| (name, value)))
        .env(variables::REDIS_HOST, IpAddr::to_string(&launch.redis_host))
        .env(variables::REDIS_PORT, launch.redis_port.to_string())
        .env(variables::REDIS_QUEUE, "job")
        .env(variables::JOB_MARK, &launch.job)
        .env(variables::REPLICA_MARK, replica)
        .current_dir(if params.working_dir.is_empty() { &work } else { Path::new(&params.working_dir) })
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        // Signals of a terminal go to the server alone, and the tree can be told apart.
        .process_group(0);
    let mut child = command.spawn().map_err(run)?;

    let pid = child.id().cast_signed();
    // Until it is waited for, the child is in /proc even when it has ended already.
    let started = match stat(pid) {
        Ok(started) => started,
        Err(cause) => {
            // Without its start time it could never be ended safely.
            drop(child.kill().and_then(|()| child.wait()));
            return Err(PlatformError::ReadStart { replica: replica.clone(), cause });
        }
    };
    if params.nice != 0
        && let Err(error) = setpriority_pgrp(Pid::from_raw(pid), params.nice)
    {
        tracing::warn!(replica, %error, "the niceness of a replica could not be set");
    }
    let place = Place::Process { pid: child.id(), start_ticks: started.starttime };
    let handle = Handle { replica: replica.clone(), job: launch.job.clone(), place };
    Ok((child, handle, logs))
}

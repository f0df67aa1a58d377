//! Where `zkServer.sh` finds its configuration and puts its files (ZK: `bin/zkEnv.sh`).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The variables of the environment, with what the scripts in the configuration directory add.
pub(super) type Variables = BTreeMap<OsString, OsString>;

/// What a call of `zkServer.sh` works with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Environment {
    pub(super) variables: Variables,
    /// The configuration file.
    pub(super) config: PathBuf,
    /// Its text; empty if it cannot be read.
    pub(super) text: String,
    pub(super) log_dir: PathBuf,
}

impl Environment {
    /// Finds the configuration: `directory` is that of `--config`, `file` the argument behind the
    /// command, `bin` the directory this program was called in.
    pub(super) fn find(
        mut variables: Variables,
        bin: &Path,
        directory: Option<&OsStr>,
        file: Option<&OsStr>,
    ) -> Self {
        let given = directory.or_else(|| set(&variables, "ZOOCFGDIR")).map(PathBuf::from);
        let directory = given.unwrap_or_else(|| config_directory(bin));
        for script in ["zookeeper-env.sh", "java.env"] {
            let script = directory.join(script);
            if script.is_file() {
                source(&script, &mut variables);
            }
        }
        let name = set(&variables, "ZOOCFG").unwrap_or(OsStr::new("zoo.cfg"));
        // A file with directories of its own is not looked for among the others.
        let config = match file {
            Some(file) if Path::new(file).components().count() > 1 => PathBuf::from(file),
            Some(file) => directory.join(file),
            None => directory.join(name),
        };
        let log_dir = set(&variables, "ZOO_LOG_DIR").map(PathBuf::from);
        let log_dir = log_dir.unwrap_or_else(|| bin.join("../logs"));
        let text = fs::read(&config).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Self { variables, config, text: text.unwrap_or_default(), log_dir }
    }

    /// A variable that is set to more than nothing.
    pub(super) fn variable(&self, name: &str) -> Option<&OsStr> {
        set(&self.variables, name)
    }

    /// The value of a key in the configuration file; that of the last line, as for the server.
    pub(super) fn key(&self, key: &str) -> Option<&str> {
        value(&self.text, key)
    }

    /// The directory of the data, if the configuration names one.
    pub(super) fn data_dir(&self) -> Option<PathBuf> {
        self.key("dataDir").map(PathBuf::from)
    }

    /// The file that holds the process id of a server in the background.
    pub(super) fn pid_file(&self) -> Option<PathBuf> {
        let chosen = self.variable("ZOOPIDFILE").map(PathBuf::from);
        chosen.or_else(|| Some(self.data_dir()?.join("zookeeper_server.pid")))
    }

    /// The file for the output of a server in the background.
    pub(super) fn output_file(&self) -> PathBuf {
        let user = self.variable("USER").unwrap_or_default().to_string_lossy();
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        self.log_dir.join(format!("zookeeper-{user}-server-{host}.out"))
    }
}

fn set<'a>(variables: &'a Variables, name: &str) -> Option<&'a OsStr> {
    variables.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
}

/// The value of the last line `key=value` with this key.
pub(super) fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let of = |line: &'a str| {
        let rest = line.trim_start().strip_prefix(key)?.trim_start();
        Some(rest.strip_prefix('=')?.trim()).filter(|value| !value.is_empty())
    };
    text.lines().rev().find_map(of)
}

/// Where configurations lie: beside the programs, as in Apache's archive, or as in Debian.
fn config_directory(bin: &Path) -> PathBuf {
    let beside = [bin.join("../conf"), bin.join("../etc/zookeeper")];
    let system = ["/etc/zookeeper/conf", "/etc/zookeeper"].map(PathBuf::from);
    let all = || beside.iter().chain(&system);
    let with_file = all().find(|directory| directory.join("zoo.cfg").exists());
    let there = || all().find(|directory| directory.exists());
    with_file.or_else(there).unwrap_or(&beside[1]).clone()
}

/// Takes over the variables that a shell script sets.
fn source(script: &Path, variables: &mut Variables) {
    let read = Command::new("sh")
        .args(["-c", r#"set -a; . "$0" >&2; exec env -0"#])
        .arg(script)
        .env_clear()
        .envs(&*variables)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output();
    match read {
        Ok(output) if output.status.success() => *variables = parse(&output.stdout),
        Ok(output) => eprintln!("{}: {}", script.display(), output.status),
        Err(error) => eprintln!("{}: no shell to read it with: {error}", script.display()),
    }
}

/// Reads what `env -0` prints.
fn parse(text: &[u8]) -> Variables {
    let pair = |entry: &[u8]| {
        let at = entry.iter().position(|&byte| byte == b'=')?;
        let value = OsString::from_vec(entry[at + 1..].to_vec());
        Some((OsStr::from_bytes(&entry[..at]).to_owned(), value))
    };
    text.split(|&byte| byte == 0).filter_map(pair).collect()
}

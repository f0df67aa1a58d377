//! `zkServer.sh` and `zkCli.sh`: the program under these names, with the arguments and lines of
//! ZooKeeper's scripts.

#![cfg(feature = "server")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

/// A directory as Apache's archive has it: `bin` and `conf`.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["bin", "conf"] {
            fs::create_dir(dir.path().join(name)).expect("a directory");
        }
        for name in ["zkServer.sh", "zkCli.sh"] {
            let link = dir.path().join("bin").join(name);
            symlink(env!("CARGO_BIN_EXE_zabra"), link).expect("a link");
        }
        let place = Self { dir };
        let data = place.path().join("data");
        let text = format!(
            "clientPortAddress=127.0.0.1\nclientPort={}\ndataDir={}\n",
            free_port(),
            data.display()
        );
        fs::write(place.path().join("conf/zoo.cfg"), text).expect("a file");
        place
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.output(arguments);
        let text = String::from_utf8(output.stdout).expect("text");
        (output.status.code().expect("an exit code"), text)
    }

    fn output(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.path().join("bin/zkServer.sh"));
        command.args(arguments).env_clear().env("PATH", "/bin:/usr/bin");
        command.output().expect("the program")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.output(&["stop"]);
    }
}

/// One that was free a moment ago: the file must name it before the server takes it.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[test]
fn a_server_is_started_looked_at_and_stopped() {
    let place = Place::new();
    let text = fs::read_to_string(place.path().join("conf/zoo.cfg")).expect("text");
    let port = text.lines().nth(1).expect("a line").replace("clientPort=", "");
    let pid_file = place.path().join("data/zookeeper_server.pid");
    let found = format!("Client port found: {port}. Client address: 127.0.0.1. Client SSL: false.");
    let away = format!("{found}\nError contacting service. It is probably not running.\n");
    assert_eq!(place.run(&["status"]), (1, away.clone()));
    let nothing = format!(
        "Stopping zookeeper ... no zookeeper to stop (could not find file {})\n",
        pid_file.display()
    );
    assert_eq!(place.run(&["stop"]), (0, nothing));
    assert_eq!(place.run(&["start"]), (0, "Starting zookeeper ... STARTED\n".to_owned()));
    let id = fs::read_to_string(&pid_file).expect("a process id");
    let there = format!("Starting zookeeper ... already running as process {id}.\n");
    assert_eq!(place.run(&["start"]), (1, there));
    let serving = format!("{found}\nMode: standalone\n");
    assert_eq!(place.run(&["status"]), (0, serving.clone()));
    let conf = place.path().join("conf");
    let conf = conf.to_str().expect("a path");
    assert_eq!(place.run(&["--config", conf, "status"]), (0, serving.clone()));
    assert_eq!(place.run(&["status", &format!("{conf}/zoo.cfg")]), (0, serving.clone()));
    let mut client = Command::new(place.path().join("bin/zkCli.sh"));
    client.args(["-server", &format!("127.0.0.1:{port}"), "ls", "/"]);
    let listed = client.output().expect("the program");
    assert!(listed.status.success() && listed.stdout.ends_with(b"[zookeeper]\n"), "{listed:?}");
    let line = fs::read_to_string(format!("/proc/{id}/cmdline")).expect("a command line");
    assert!(line.starts_with("zabra\0server\0") && line.ends_with("zoo.cfg\0"), "{line}");
    let both = "Stopping zookeeper ... STOPPED\nStarting zookeeper ... STARTED\n";
    assert_eq!(place.run(&["restart"]), (0, both.to_owned()));
    assert_eq!(place.run(&["status"]), (0, serving));
    assert_eq!(place.run(&["stop"]), (0, "Stopping zookeeper ... STOPPED\n".to_owned()));
    assert!(!pid_file.exists());
    assert_eq!(place.run(&["status"]), (1, away));
}

#[test]
fn a_server_that_ends_at_once_is_not_started() {
    let place = Place::new();
    let config = place.path().join("conf/zoo.cfg");
    let text = fs::read_to_string(&config).expect("text");
    fs::write(&config, format!("{text}tickTime=never\n")).expect("a file");
    assert_eq!(place.run(&["start"]), (1, "Starting zookeeper ... FAILED TO START\n".to_owned()));
    let (code, _) = place.run(&["start-foreground"]);
    assert_eq!(code, 2);
}

#[test]
fn other_commands_say_what_the_script_says() {
    let place = Place::new();
    let (code, version) = place.run(&["version"]);
    assert!(code == 0 && version.contains(", version 3.9.5"), "{version}");
    let (code, command) = place.run(&["print-cmd"]);
    assert!(code == 0 && command.contains("/conf/zoo.cfg\" > \""), "{command}");
    let output = place.output(&["no-such-command"]);
    let errors = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(0));
    let usage = "/bin/zkServer.sh [--config <conf-dir>] \
                 {start|start-foreground|stop|version|restart|status|print-cmd}\n";
    assert!(errors.contains("Using config: ") && errors.ends_with(usage), "{errors}");
    let (code, help) = place.run(&["--help"]);
    assert!(code == 0 && help.contains("Examples:"), "{help}");
}

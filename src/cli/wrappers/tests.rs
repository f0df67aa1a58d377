//! Where `zkServer.sh` looks for what.

use super::environment::{Environment, Variables, value};
use super::status::{ClientPort, find};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

fn variables(pairs: &[(&str, &str)]) -> Variables {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let pairs = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    pairs.chain([("PATH".into(), path)]).collect()
}

fn client_port(text: &str) -> (Option<ClientPort>, Vec<String>) {
    let environment = Environment {
        variables: Variables::new(),
        config: "/conf/zoo.cfg".into(),
        text: text.to_owned(),
        log_dir: "/logs".into(),
    };
    let mut remarks = Vec::new();
    (find(&environment, &mut remarks), remarks)
}

fn port(address: &str, port: &str, is_tls: bool) -> ClientPort {
    ClientPort { address: address.to_owned(), port: port.to_owned(), is_tls }
}

#[test]
fn keys_are_whole_words_and_the_last_one_counts() {
    let text =
        "clientPortAddress=::1\n clientPort = 2181 \n#clientPort=1\nclientPort=2182\ndataDir=";
    assert_eq!(value(text, "clientPort"), Some("2182"));
    assert_eq!(value(text, "clientPortAddress"), Some("::1"));
    assert_eq!(value(text, "dataDir"), None);
    assert_eq!(value(text, "client"), None);
}

#[test]
fn the_client_port_is_found_in_every_place() {
    let data = tempfile::tempdir().expect("a directory");
    fs::write(data.path().join("myid"), "2\n").expect("a file");
    let dynamic = data.path().join("dynamic");
    fs::write(&dynamic, "server.2=b:2888:3888;[127::1]:2183\n").expect("a file");
    let data = format!("dataDir={}\n", data.path().display());
    let at = |text: &str| client_port(&format!("{data}{text}")).0;
    assert_eq!(at("clientPort=2181"), Some(port("localhost", "2181", false)));
    assert_eq!(
        at("clientPort=2181\nclientPortAddress=10.0.0.1"),
        Some(port("10.0.0.1", "2181", false))
    );
    let servers = "server.1=a:2888:3888;2181\nserver.2=b:2888:3888:participant;";
    assert_eq!(at(&format!("{servers}2182")), Some(port("localhost", "2182", false)));
    assert_eq!(at(&format!("{servers}0.0.0.0:2182")), Some(port("0.0.0.0", "2182", false)));
    let file = format!("dynamicConfigFile={}", dynamic.display());
    assert_eq!(at(&file), Some(port("127::1", "2183", false)));
    assert_eq!(at("secureClientPort=2281"), Some(port("localhost", "2281", true)));
    assert_eq!(at(""), None);
}

#[test]
fn what_is_not_found_is_said_as_by_the_script() {
    let (found, remarks) = client_port("");
    assert_eq!(found, None);
    assert_eq!(
        remarks,
        [
            "myid could not be determined, will not able to locate clientPort in the server \
             configs.",
            "Client port not found. Looking for secureClientPort in the static config.",
            "Unable to find either secure or unsecure client port in any configs. Terminating.",
        ]
    );
    assert_eq!(client_port("clientPort=2181").1, [""; 0]);
}

#[test]
fn the_configuration_is_found() {
    let bin = Path::new("/no-such-directory/bin");
    let config = |pairs: &[(&str, &str)], directory: Option<&str>, file: Option<&str>| {
        let (directory, file) = (directory.map(OsStr::new), file.map(OsStr::new));
        Environment::find(variables(pairs), bin, directory, file).config
    };
    let dir = [("ZOOCFGDIR", "/conf")];
    assert_eq!(config(&dir, None, None), Path::new("/conf/zoo.cfg"));
    assert_eq!(config(&dir, Some("/other"), None), Path::new("/other/zoo.cfg"));
    assert_eq!(config(&dir, None, Some("zoo1.cfg")), Path::new("/conf/zoo1.cfg"));
    assert_eq!(config(&dir, None, Some("/etc/zoo1.cfg")), Path::new("/etc/zoo1.cfg"));
    let named = [("ZOOCFGDIR", "/conf"), ("ZOOCFG", "zoo2.cfg")];
    assert_eq!(config(&named, None, None), Path::new("/conf/zoo2.cfg"));
}

#[test]
fn scripts_in_the_configuration_directory_are_read() {
    let conf = tempfile::tempdir().expect("a directory");
    let script = "echo noise\nZOO_LOG_DIR=/from-script\nexport JVMFLAGS=\"-Dx=1 $JVMFLAGS\"\n";
    fs::write(conf.path().join("zookeeper-env.sh"), script).expect("a file");
    fs::write(conf.path().join("java.env"), "SERVER_JVMFLAGS='-Xmx1g\n-Dy=2'").expect("a file");
    fs::write(conf.path().join("zoo.cfg"), "dataDir=/data\n").expect("a file");
    let variables = variables(&[("JVMFLAGS", "-Dz=3")]);
    let directory = Some(conf.path().as_os_str());
    let environment = Environment::find(variables, Path::new("/bin"), directory, None);
    assert_eq!(environment.log_dir, Path::new("/from-script"));
    assert_eq!(environment.variable("JVMFLAGS"), Some(OsStr::new("-Dx=1 -Dz=3")));
    assert_eq!(environment.variable("SERVER_JVMFLAGS"), Some(OsStr::new("-Xmx1g\n-Dy=2")));
    assert_eq!(environment.pid_file().as_deref(), Some(Path::new("/data/zookeeper_server.pid")));
}

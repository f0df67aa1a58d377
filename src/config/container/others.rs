//! Images with next to no variables: debezium's and wurstmeister's.

use super::super::error::ConfigError;
use super::plan::MyId;
use super::{Image, Plan, Surroundings, problem};

/// Directories that only these images' volumes make.
pub(super) const DEBEZIUM: &str = "/zookeeper/data";
pub(super) const WURSTMEISTER: &str = "/opt/zookeeper-3.4.13";

/// More servers than this are a mistake.
const MAX_SERVERS: u32 = 255;

/// Whether a variable shows that the image is debezium's.
pub(super) fn tells_debezium(name: &str) -> bool {
    matches!(name, "SERVER_ID" | "SERVER_COUNT")
}

/// debezium's: peers are named `zookeeper-1` and so on.
pub(super) fn debezium(from: &Surroundings<'_>) -> Result<Plan, ConfigError> {
    let mut plan = Plan::new(Image::Debezium, "/zookeeper/conf/zoo.cfg", "/zookeeper/data");
    plan.directories.extend(["/zookeeper/txns".into(), "/zookeeper/conf".into()]);
    for (key, value) in [
        ("tickTime", "2000"),
        ("initLimit", "10"),
        ("syncLimit", "5"),
        ("dataDir", "/zookeeper/data"),
        ("dataLogDir", "/zookeeper/txns"),
        ("clientPort", "2181"),
        ("autopurge.snapRetainCount", "3"),
        ("autopurge.purgeInterval", "1"),
    ] {
        plan.line(key, value);
    }
    let count = from.filled("SERVER_COUNT").unwrap_or("1");
    let number = count.parse::<u32>().ok().filter(|number| (1..=MAX_SERVERS).contains(number));
    let Some(number) = number else {
        let reason = format!("must be a whole number from 1 to {MAX_SERVERS}");
        return Err(ConfigError::new(vec![problem("SERVER_COUNT", Some(count), reason)]));
    };
    let id = from.filled("SERVER_ID").unwrap_or("1");
    if number > 1 {
        for server in 1..=number {
            let line = format!("server.{server}=zookeeper-{server}:2888:3888");
            plan.line_of("SERVER_COUNT", line);
        }
    }
    plan.my_id = Some(MyId { id: id.to_owned(), variable: "SERVER_ID", always: true });
    plan.log_level = from.filled("LOG_LEVEL").map(str::to_owned);
    Ok(plan)
}

/// wurstmeister's: ZooKeeper 3.4 as it comes, with every four-letter word open.
pub(super) fn wurstmeister(from: &Surroundings<'_>) -> Plan {
    let data = "/opt/zookeeper-3.4.13/data";
    let given = "/opt/zookeeper-3.4.13/conf/zoo.cfg";
    let config = if (from.exists)(given.as_ref()) { given } else { "/conf/zoo.cfg" };
    let mut plan = Plan::new(Image::Wurstmeister, config, data);
    for (key, value) in [
        ("tickTime", "2000"),
        ("initLimit", "10"),
        ("syncLimit", "5"),
        ("dataDir", data),
        ("clientPort", "2181"),
        ("autopurge.snapRetainCount", "3"),
        ("autopurge.purgeInterval", "1"),
        ("4lw.commands.whitelist", "*"),
    ] {
        plan.line(key, value);
    }
    plan
}

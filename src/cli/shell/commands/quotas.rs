//! Commands about quotas, which are znodes below `/zookeeper/quota` (ZK: `Quotas`, `StatsTrack`).

use crate::cli::shell::command::{Call, Command, Flag, Interrupt, Origin};
use crate::cli::shell::failure::{At, Failure};
use crate::cli::shell::{Shell, walk};
use crate::client::{Client, ClientError, CreateMode};
use crate::types::ErrorCode;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;

const ROOT: &str = "/zookeeper/quota";
const LIMITS: &str = "zookeeper_limits";
const STATS: &str = "zookeeper_stats";

/// What a quota znode holds: numbers by name, of which -1 is none.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Quota(BTreeMap<String, i64>);

/// The limits in the order of their options.
const KINDS: [(&str, &str); 4] =
    [("n", "count"), ("b", "bytes"), ("N", "countHardLimit"), ("B", "byteHardLimit")];

impl Quota {
    /// No limit at all.
    fn none() -> Self {
        Self(KINDS.iter().map(|(_, name)| ((*name).to_owned(), -1)).collect())
    }

    fn parse(data: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(data).ok()?;
        let pairs = text.split([',', ';']).filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, rest) = pair.split_once('=')?;
            let number = rest.split('=').next().filter(|number| !number.is_empty());
            Some((name.to_owned(), number.map_or(Ok(-1), str::parse).ok()?))
        });
        pairs.collect::<Option<_>>().map(Self)
    }

    fn of(&self, name: &str) -> i64 {
        self.0.get(name).copied().unwrap_or(-1)
    }

    fn to_json(&self) -> Value {
        let limit = |(_, name): &(&str, &str)| {
            let number = Some(self.of(name)).filter(|number| *number >= 0);
            ((*name).to_owned(), number.into())
        };
        Value::Object(KINDS.iter().map(limit).collect())
    }
}

impl fmt::Display for Quota {
    /// The form that versions before hard limits can read: those come after a second `=`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "count={},bytes={}", self.of("count"), self.of("bytes"))?;
        let others = self.0.iter().filter(|(name, _)| !matches!(&***name, "count" | "bytes"));
        for (index, (name, number)) in others.enumerate() {
            let before = if index == 0 { "=" } else { "" };
            write!(f, "{before};{name}={number}")?;
        }
        Ok(())
    }
}

fn limits_path(path: &str) -> String {
    format!("{ROOT}{path}/{LIMITS}")
}

fn stats_path(path: &str) -> String {
    format!("{ROOT}{path}/{STATS}")
}

/// Quotas are outside of every chroot, where the client cannot get at them.
async fn client_at_root(shell: &mut Shell) -> Result<Client, Failure> {
    match shell.session.chroot() {
        None => shell.client().await,
        Some(chroot) => Err(Failure::Refused(format!(
            "quotas are kept in {ROOT}, outside of {chroot}: connect without a chroot"
        ))),
    }
}

async fn read(client: &Client, path: &str) -> Result<Quota, Failure> {
    let found = client.get(path).await.at(path)?;
    let quota = Quota::parse(found.data.as_deref().unwrap_or_default());
    quota.ok_or_else(|| Failure::Refused(format!("{path} holds no quota")))
}

async fn exists(client: &Client, path: &str) -> Result<bool, Failure> {
    Ok(client.exists(path).await.at(path)?.is_some())
}

/// The failure of a request to a quota that is not there, which zkCli takes lightly.
fn missing(failure: Failure, path: &str) -> Failure {
    match failure {
        Failure::Client { error: ClientError::Api(ErrorCode::NoNode), .. } => {
            Failure::Remark(format!("quota for {path} does not exist."))
        }
        failure => failure,
    }
}

pub(in crate::cli::shell) const LISTQUOTA: Command = Command {
    name: "listquota",
    usage: "path",
    summary: "Print the quota of a subtree, and how much of it is used",
    example: "listquota /app",
    flags: &[],
    operands: (1, 1),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(listquota(shell, call)),
};

async fn listquota(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let path = call.operand(0);
    let client = client_at_root(shell).await?;
    shell.out.remark(format_args!("absolute path is {}", limits_path(path)))?;
    let read = async {
        let limits = read(&client, &limits_path(path)).await?;
        Ok((limits, read(&client, &stats_path(path)).await?))
    };
    let (limits, stats) = read.await.map_err(|failure| missing(failure, path))?;
    shell.out.line(format_args!("Output quota for {path} {limits}"))?;
    shell.out.line(format_args!("Output stat for {path} {stats}"))?;
    let used = json!({ "count": stats.of("count"), "bytes": stats.of("bytes") });
    Ok(shell.out.json(&json!({ "path": path, "quota": limits.to_json(), "used": used }))?)
}

pub(in crate::cli::shell) const SETQUOTA: Command = Command {
    name: "setquota",
    usage: "-n|-b|-N|-B val path",
    summary: "Limit the znodes or the bytes of a subtree",
    example: "setquota -n 1000 /app\nsetquota -B 1000000 /app",
    flags: &[
        Flag::valued("n", "count", "so many znodes; more are only logged"),
        Flag::valued("b", "bytes", "so many bytes; more are only logged"),
        Flag::valued("N", "count", "so many znodes; more are refused"),
        Flag::valued("B", "bytes", "so many bytes; more are refused"),
    ],
    operands: (1, 1),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(setquota(shell, call)),
};

async fn setquota(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let mut chosen = KINDS.iter().filter(|(flag, _)| call.has(flag));
    let (Some((flag, kind)), None) = (chosen.next(), chosen.next()) else {
        return Err(call.usage("exactly one of -n, -b, -N and -B is needed"));
    };
    let path = call.operand(0);
    if path.starts_with(ROOT) {
        return Err(Failure::Remark(format!("cannot set a quota under the path: {ROOT}")));
    }
    let limit = limit(flag, call.value(flag).unwrap_or_default())?;
    let path = call.path(0)?;
    let client = client_at_root(shell).await?;
    if !exists(&client, path).await? {
        return Err(Failure::Refused(format!("{path} does not exist.")));
    }
    check_below(&client, path).await?;
    check_above(&client, path).await?;
    let (limits, stats) = (limits_path(path), stats_path(path));
    let is_new = !exists(&client, &limits).await?;
    let mut quota = if is_new { Quota::none() } else { read(&client, &limits).await? };
    quota.0.insert((*kind).to_owned(), limit);
    if is_new {
        make(&client, path, &quota).await?;
    } else {
        let data = Bytes::from(quota.to_string());
        client.set(&limits, data, None).await.at(&limits)?;
    }
    warn(shell, &quota, &read(&client, &stats).await?)?;
    Ok(shell.out.json(&json!({ "path": path, "quota": quota.to_json() }))?)
}

fn limit(flag: &str, value: &str) -> Result<i64, Failure> {
    let is_count = matches!(flag, "n" | "N");
    let number = if is_count { value.parse::<i32>().map(i64::from) } else { value.parse() };
    let remark = match number {
        Err(_) => "NumberFormatException happens when parsing the option value",
        Ok(..1) if is_count => "the num quota must be greater than zero",
        Ok(..0) => "the bytes quota must be greater than or equal to zero",
        Ok(number) => return Ok(number),
    };
    Err(Failure::Remark(remark.to_owned()))
}

/// Quotas may not lie within each other.
async fn check_below(client: &Client, path: &str) -> Result<(), Failure> {
    let own = format!("{ROOT}{path}");
    crate::cli::shell::paths::check(&own).map_err(Failure::Refused)?;
    if !exists(client, &own).await? {
        return Ok(());
    }
    for quota in walk::subtree(client, &own).await? {
        if let Some(other) = quota.strip_suffix(LIMITS).and_then(|quota| quota.strip_suffix('/'))
            && other != own
        {
            let other = &other[ROOT.len()..];
            return Err(Failure::Refused(format!("{path} has a child {other} which has a quota")));
        }
    }
    Ok(())
}

async fn check_above(client: &Client, path: &str) -> Result<(), Failure> {
    for (at, _) in path.match_indices('/').skip(1) {
        let above = &path[..at];
        if exists(client, &limits_path(above)).await? {
            return Err(Failure::Refused(format!("{path} has a parent {above} which has a quota")));
        }
    }
    Ok(())
}

/// Makes the znodes of a quota.
async fn make(client: &Client, path: &str, quota: &Quota) -> Result<(), Failure> {
    let ends = path.match_indices('/').map(|(at, _)| at).skip(1).chain([path.len()]);
    for end in ends {
        let above = format!("{ROOT}{}", &path[..end]);
        ensure(client, &above, None).await?;
    }
    let limits = limits_path(path);
    let data = Bytes::from(quota.to_string());
    client.create(&limits, data, CreateMode::Persistent).await.at(&limits)?;
    ensure(client, &stats_path(path), Some("count=0,bytes=0".to_owned())).await
}

async fn ensure(client: &Client, path: &str, data: Option<String>) -> Result<(), Failure> {
    match client.create(path, data.map(Bytes::from), CreateMode::Persistent).await {
        Ok(_) | Err(ClientError::Api(ErrorCode::NodeExists)) => Ok(()),
        Err(error) => Err(error).at(path),
    }
}

fn warn(shell: &mut Shell, quota: &Quota, used: &Quota) -> Result<(), Failure> {
    for (what, soft, hard) in
        [("count", "count", "countHardLimit"), ("bytes", "bytes", "byteHardLimit")]
    {
        let used = used.of(what);
        let is_less = |limit: i64| limit > -1 && limit < used;
        if is_less(quota.of(soft)) || is_less(quota.of(hard)) {
            shell.out.line(format_args!(
                "[Warning]: the {what} quota you create is less than the existing {what}:{used}"
            ))?;
        }
    }
    Ok(())
}

pub(in crate::cli::shell) const DELQUOTA: Command = Command {
    name: "delquota",
    usage: "[-n|-b|-N|-B] path",
    summary: "Delete the quota of a subtree, or one of its limits",
    example: "delquota /app\ndelquota -n /app",
    flags: &[
        Flag::new("n", "only the limit of znodes that is logged"),
        Flag::new("b", "only the limit of bytes that is logged"),
        Flag::new("N", "only the limit of znodes that is kept"),
        Flag::new("B", "only the limit of bytes that is kept"),
    ],
    operands: (1, 1),
    origin: Origin::ZkCli,
    interrupt: Interrupt::Fails,
    run: |shell, call| Box::pin(delquota(shell, call)),
};

async fn delquota(shell: &mut Shell, call: Call) -> Result<(), Failure> {
    let mut chosen = KINDS.iter().filter(|(flag, _)| call.has(flag));
    let (kind, None) = (chosen.next(), chosen.next()) else {
        return Err(call.usage("only one of -n, -b, -N and -B is possible"));
    };
    let path = call.path(0)?;
    let client = client_at_root(shell).await?;
    let limits = limits_path(path);
    crate::cli::shell::paths::check(&limits).map_err(Failure::Refused)?;
    if !exists(&client, &limits).await? {
        shell.out.line(format_args!("Quota does not exist for {path}"))?;
        return Ok(shell.out.json(&json!({ "path": path, "quota": null }))?);
    }
    let Some((_, kind)) = kind else {
        delete(&client, path).await.map_err(|failure| missing(failure, path))?;
        return Ok(shell.out.json(&json!({ "path": path, "quota": null }))?);
    };
    let mut quota = read(&client, &limits).await.map_err(|failure| missing(failure, path))?;
    quota.0.insert((*kind).to_owned(), -1);
    client.set(&limits, Bytes::from(quota.to_string()), None).await.at(&limits)?;
    Ok(shell.out.json(&json!({ "path": path, "quota": quota.to_json() }))?)
}

/// Deletes the znodes of a quota, and those above them that have no other use.
async fn delete(client: &Client, path: &str) -> Result<(), Failure> {
    let own = format!("{ROOT}{path}");
    for child in client.children(&own).await.at(&own)? {
        let child = format!("{own}/{child}");
        client.delete(&child, None).await.at(&child)?;
    }
    let mut above = own.as_str();
    while above != ROOT && client.children(above).await.at(above)?.is_empty() {
        client.delete(above, None).await.at(above)?;
        above = above.rsplit_once('/').map_or(ROOT, |(above, _)| above);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_read_and_written_in_every_form_there_is() {
        for text in [
            "count=2,bytes=-1=;byteHardLimit=-1;countHardLimit=-1",
            "count=1,bytes=40",
            "count=-1,bytes=-1",
        ] {
            let quota = Quota::parse(text.as_bytes()).expect("a quota");
            assert_eq!(quota.to_string(), text);
        }
        let empty = Quota::parse(b"").expect("no limit");
        assert_eq!(empty.to_string(), "count=-1,bytes=-1");
        assert_eq!(Quota::parse(b"count=x,bytes=1"), None);
        assert_eq!(Quota::parse(b"nonsense"), None);
        assert_eq!(Quota::parse(b"count=,bytes=7").map(|quota| quota.of("count")), Some(-1));
    }
}

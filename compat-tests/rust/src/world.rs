//! What scenarios share: clients, a path of their own, waiting, and the control port of the
//! harness.

use std::fmt::{Debug, Display};
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};
use zookeeper_client::{Acls, Client, CreateMode, CreateOptions, Error};

pub const SESSION_TIME: Duration = Duration::from_secs(20);
pub const WAIT_TIME: Duration = Duration::from_secs(30);
pub const OPEN: CreateOptions<'static> = CreateMode::Persistent.with_acls(Acls::anyone_all());
pub const EPHEMERAL: CreateOptions<'static> = CreateMode::Ephemeral.with_acls(Acls::anyone_all());

/// Why a scenario failed, and where.
#[derive(Debug)]
pub struct Failure(String);

pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure at the place of the caller.
    #[track_caller]
    pub fn new(reason: impl Display) -> Self {
        let place = Location::caller();
        Self(format!("{reason}\nat {}:{}", place.file(), place.line()))
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    #[track_caller]
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

/// Demands that the condition holds.
#[track_caller]
pub fn check(condition: bool, what: impl Display) -> Outcome {
    if condition { Ok(()) } else { Err(Failure::new(what)) }
}

/// Demands that both are equal.
#[track_caller]
pub fn equal<T: PartialEq<U> + Debug, U: Debug>(found: T, expected: U) -> Outcome {
    if found == expected {
        return Ok(());
    }
    Err(Failure::new(format!("{found:?} instead of {expected:?}")))
}

/// Demands exactly this error.
#[track_caller]
pub fn refused<T, E: Into<Error>>(result: Result<T, E>, expected: Error) -> Outcome {
    match result {
        Ok(_) => Err(Failure::new(format!("nothing failed instead of: {expected}"))),
        Err(error) => equal(error.into(), expected),
    }
}

/// Whether a request failed for want of a connection. The client passes on what the socket says, if
/// the server's end of it comes as a reset.
pub fn is_lost(error: &Error) -> bool {
    matches!(error, Error::ConnectionLoss | Error::Custom(_))
}

/// Waits until the condition holds: the order of events is the server's, the delay is not.
pub async fn eventually(
    what: impl Display,
    mut condition: impl AsyncFnMut() -> Outcome<bool>,
) -> Outcome {
    let end = Instant::now() + WAIT_TIME;
    while !condition().await? {
        check(Instant::now() < end, format!("never happened: {what}"))?;
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// A client with a session of this length at most. It is closed when it is dropped.
pub async fn connect(servers: &str, timeout: Duration) -> Outcome<Client> {
    Ok(Client::connector().with_session_timeout(timeout).connect(servers).await?)
}

/// Whether a znode is there, for a client that has caught up.
pub async fn exists(client: &Client, path: &str) -> Outcome<bool> {
    client.sync(path).await?;
    Ok(client.check_stat(path).await?.is_some())
}

/// What one scenario has.
pub struct World {
    pub connect: String,
    pub servers: Vec<String>,
    pub quick: bool,
    /// The path of this scenario.
    pub root: String,
    /// Whether a server may be down that was not started again.
    broken: AtomicBool,
}

impl World {
    pub fn new(connect: &str, name: &str, quick: bool) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            connect: connect.to_owned(),
            servers: connect.split(',').map(str::to_owned).collect(),
            quick,
            root: format!("/compat-rust-{name}-{:x}", now.as_nanos()),
            broken: AtomicBool::new(false),
        }
    }

    /// A path below that of the scenario.
    pub fn path(&self, rest: &str) -> String {
        format!("{}/{rest}", self.root)
    }

    /// A client of all servers.
    pub async fn client(&self) -> Outcome<Client> {
        connect(&self.connect, SESSION_TIME).await
    }

    /// A client, and the path of the scenario, which exists.
    pub async fn rooted(&self) -> Outcome<Client> {
        let client = self.client().await?;
        client.create(&self.root, b"", &OPEN).await?;
        Ok(client)
    }

    /// Ends what the scenario left: servers that are down, and its znodes.
    pub async fn clear_up(&self) -> Outcome {
        if self.broken.load(Ordering::Relaxed) {
            self.restore().await?;
        }
        let client = self.client().await?;
        eventually(format!("the removal of {}", self.root), async || {
            Ok(remove_tree(&client, &self.root).await.is_ok())
        })
        .await
    }

    /// Asks the harness; the words behind `ok`.
    pub async fn ask(&self, question: &str) -> Outcome<Vec<String>> {
        let Ok(control) = std::env::var("ZABRA_COMPAT_CONTROL") else {
            let reason = "ZABRA_COMPAT_CONTROL is not set: there is nobody to ask for";
            return Err(Failure::new(format!("{reason} `{question}`")));
        };
        let answer = exchange(&control, &format!("{question}\n"), "\n").await?;
        match answer.trim().split(' ').collect::<Vec<_>>().as_slice() {
            ["ok", words @ ..] => Ok(words.iter().map(|word| (*word).to_owned()).collect()),
            _ => Err(Failure::new(format!("{question}: {answer}"))),
        }
    }

    /// Kills a server. If there is no other one it comes back at once.
    pub async fn kill(&self, server: &str) -> Outcome {
        self.broken.store(true, Ordering::Relaxed);
        self.ask(&format!("kill {server}")).await?;
        if self.servers.len() == 1 {
            self.restore().await?;
        }
        Ok(())
    }

    /// Starts all servers that do not run.
    pub async fn restore(&self) -> Outcome {
        self.ask("restore").await?;
        self.broken.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// The server that a client is connected to, if it is connected. The client does not say it,
    /// but the servers do.
    pub async fn server_of(&self, client: &Client) -> Outcome<Option<String>> {
        let connection = format!("sid={},", client.session_id());
        for server in &self.servers {
            // One that is down has no connections.
            let answer = exchange(server, "cons", "").await.unwrap_or_default();
            if answer.contains(&connection) {
                return Ok(Some(server.clone()));
            }
        }
        Ok(None)
    }
}

/// Removes a znode and what is below it. One without children needs not be readable.
async fn remove_tree(client: &Client, path: &str) -> Result<(), Error> {
    match client.delete(path, None).await {
        Ok(()) | Err(Error::NoNode) => return Ok(()),
        Err(Error::NotEmpty) => {}
        Err(error) => return Err(error),
    }
    let names = client.list_children(path).await?;
    for batch in names.chunks(500) {
        let mut writer = client.new_multi_writer();
        for name in batch {
            writer.add_delete(&format!("{path}/{name}"), None)?;
        }
        if writer.commit().await.is_err() {
            for name in batch {
                Box::pin(remove_tree(client, &format!("{path}/{name}"))).await?;
            }
        }
    }
    client.delete(path, None).await
}

/// Sends a text and reads to the end of the connection, or of the answer if that is marked.
async fn exchange(address: &str, text: &str, end: &str) -> Outcome<String> {
    let mut link = TcpStream::connect(address).await?;
    link.write_all(text.as_bytes()).await?;
    let mut answer = String::new();
    let mut piece = [0; 4096];
    loop {
        let count = link.read(&mut piece).await?;
        answer += &String::from_utf8_lossy(&piece[..count]);
        if count == 0 || (!end.is_empty() && answer.ends_with(end)) {
            return Ok(answer);
        }
    }
}

//! The client as users hold it: operations and their replies.

use super::actor::Actor;
use super::attempts::Attempts;
use super::create::raw_acl;
use super::options::auth_packet;
use super::path;
use super::queue::{Effect, Shared};
use super::watch::{OneShotWatch, PersistentWatch, StateWatch};
use super::watches::OneShotKind;
use super::{
    ClientError, ConnectString, CreateOptions, Options, ReadOp, SessionKey, SessionState,
    Transaction,
};
use crate::proto::{
    AddWatchMode, MultiRequest, MultiResponse, MultiResult, NoBody, OpCode, WatcherType,
};
use crate::types::{Acl, ErrorCode, Stat, Zxid};
use bytes::Bytes;
use jute::client::{
    AclStat, ClientInfo, DataStat, Names, NamesStat, PathKind, PathOnly, PathResponse, PathStat,
    PathVersion, PathWatch, ReconfigRequest, SetAclRequest, SetDataRequest, Total, WhoAmIResponse,
};
use jute::{Decode, Decoder, Encode, Limits};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

/// Where the ensemble's configuration is (ZK: `ZooDefs.CONFIG_NODE`).
const CONFIG: &str = "/zookeeper/config";

/// A client: a handle on one session, which may be cloned freely.
///
/// An operation is queued when its future is first polled, so operations that are polled one after
/// the other are executed in that order, whether or not the earlier ones have been answered.
/// Dropping a future gives up the reply only: once queued, the operation may still be executed.
///
/// When the last clone is dropped, the session is closed in the background; [`Client::close`] waits
/// for that.
#[derive(Clone, Debug)]
pub struct Client {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    chroot: String,
    actor: AbortHandle,
    options: Options,
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.shared.established().is_none() {
            // There is no session to close: stop asking for one.
            self.actor.abort();
        }
        // An error says that the session has ended already.
        let _ = self.shared.submit_close();
    }
}

impl Client {
    /// Connects to one of the servers of a connect string, `host:port[,host:port...][/chroot]`,
    /// and begins a session. Runs on the tokio runtime of the caller.
    ///
    /// # Errors
    /// `InvalidConnectString`; `NotConnected` if no server has answered in time; `SessionExpired`
    /// if the session to be resumed is gone; `AuthFailed`.
    pub async fn connect(servers: &str, options: Options) -> Result<Self, ClientError> {
        let client = Self::begin(servers, options)?;
        client.ready().await?;
        Ok(client)
    }

    /// As [`Client::connect`], but does not wait: the connection is made in the background, and
    /// operations wait for it. [`Client::attempts`] tells how that goes.
    ///
    /// # Errors
    /// `InvalidConnectString`.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn begin(servers: &str, options: Options) -> Result<Self, ClientError> {
        let ConnectString { servers, chroot } = servers.parse()?;
        let chroot = chroot.unwrap_or_default();
        let shared = Arc::new(Shared::new(options.max_outstanding, options.frame_limit));
        let actor = Actor::new(Arc::clone(&shared), servers, chroot.clone(), options.clone());
        let actor = tokio::spawn(actor.run()).abort_handle();
        Ok(Self { handle: Arc::new(Handle { shared, chroot, actor, options }) })
    }

    /// Waits for the first connection, for as long as the options say. When that has been too long,
    /// the client is closed.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub async fn ready(&self) -> Result<(), ClientError> {
        let patience = self.handle.options.connect_timeout;
        tokio::time::timeout(patience, self.settled()).await.unwrap_or_else(|_| {
            self.abandon();
            Err(ClientError::NotConnected)
        })
    }

    /// Waits for the first connection, which may be lost again already, or the end.
    async fn settled(&self) -> Result<(), ClientError> {
        let shared = &self.handle.shared;
        let is_settled = |state: &SessionState| state.is_final() || shared.established().is_some();
        // The sender lives as long as this client.
        let settled = shared.state().subscribe().wait_for(is_settled).await.map(|state| *state);
        match settled {
            Ok(state) if !state.is_final() => Ok(()),
            _ => Err(shared.ended().unwrap_or(ClientError::Closed)),
        }
    }

    /// Creates a znode. Returns its path, which for sequential ones is longer than the one given,
    /// and its stat.
    ///
    /// # Errors
    /// `NodeExists`, `NoNode` for the parent, `NoChildrenForEphemerals` and others.
    pub async fn create(
        &self,
        path: &str,
        data: impl Into<Option<Bytes>>,
        options: impl Into<CreateOptions>,
    ) -> Result<PathStat, ClientError> {
        let op = options.into().to_op(self.chroot(), path, data.into(), true)?;
        let PathStat { path, stat } = self.ask(op.op, &op, None).await?;
        Ok(PathStat { path: self.below(&path), stat })
    }

    /// Deletes a znode, if its version is this one.
    ///
    /// # Errors
    /// `NoNode`, `NotEmpty`, `BadVersion` and others.
    pub async fn delete(&self, path: &str, version: Option<i32>) -> Result<(), ClientError> {
        let body = PathVersion { path: self.full(path)?, version: version.unwrap_or(-1) };
        self.call(OpCode::Delete, &body, None).await.map(drop)
    }

    /// A znode's stat, `None` if there is no such znode.
    ///
    /// # Errors
    /// `NoAuth` and others.
    pub async fn exists(&self, path: &str) -> Result<Option<Stat>, ClientError> {
        let body = PathWatch { path: self.full(path)?, watch: false };
        found(self.ask(OpCode::Exists, &body, None).await)
    }

    /// As [`Client::exists`], with a watch on the znode's creation, deletion and data.
    ///
    /// # Errors
    /// As [`Client::exists`].
    pub async fn exists_and_watch(
        &self,
        path: &str,
    ) -> Result<(Option<Stat>, OneShotWatch), ClientError> {
        let body = PathWatch { path: self.full(path)?, watch: true };
        let (to, watch) = self.one_shot();
        let effect = Effect::Exists(body.path.clone().unwrap_or_default(), to);
        let stat = found(self.ask(OpCode::Exists, &body, Some(effect)).await)?;
        Ok((stat, watch))
    }

    /// A znode's data and stat. The data share the memory of what was read with them; whoever
    /// keeps them for long should copy them.
    ///
    /// # Errors
    /// `NoNode`, `NoAuth` and others.
    pub async fn get(&self, path: &str) -> Result<DataStat, ClientError> {
        let body = PathWatch { path: self.full(path)?, watch: false };
        self.ask(OpCode::GetData, &body, None).await
    }

    /// As [`Client::get`], with a watch on the znode's data and deletion.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn get_and_watch(&self, path: &str) -> Result<(DataStat, OneShotWatch), ClientError> {
        self.watched(OpCode::GetData, OneShotKind::Data, path).await
    }

    /// Changes a znode's data, if its version is this one. Returns the new stat.
    ///
    /// # Errors
    /// `NoNode`, `BadVersion` and others.
    pub async fn set(
        &self,
        path: &str,
        data: impl Into<Option<Bytes>>,
        version: Option<i32>,
    ) -> Result<Stat, ClientError> {
        let (path, version) = (self.full(path)?, version.unwrap_or(-1));
        let body = SetDataRequest { path, data: data.into(), version };
        self.ask(OpCode::SetData, &body, None).await
    }

    /// A znode's access control list and stat.
    ///
    /// # Errors
    /// `NoNode`, `NoAuth` and others.
    pub async fn get_acl(&self, path: &str) -> Result<AclStat, ClientError> {
        self.ask(OpCode::GetAcl, &PathOnly { path: self.full(path)? }, None).await
    }

    /// Changes a znode's access control list, if the version of the list is this one. Returns the
    /// new stat.
    ///
    /// # Errors
    /// `NoNode`, `BadVersion`, `InvalidAcl` and others.
    pub async fn set_acl(
        &self,
        path: &str,
        acl: &[Acl],
        version: Option<i32>,
    ) -> Result<Stat, ClientError> {
        let (path, acl) = (self.full(path)?, Some(raw_acl(acl)));
        let body = SetAclRequest { path, acl, version: version.unwrap_or(-1) };
        self.ask(OpCode::SetAcl, &body, None).await
    }

    /// The names of a znode's children, in no particular order.
    ///
    /// # Errors
    /// `NoNode`, `NoAuth` and others.
    pub async fn children(&self, path: &str) -> Result<Vec<String>, ClientError> {
        let body = PathWatch { path: self.full(path)?, watch: false };
        self.ask(OpCode::GetChildren, &body, None).await.map(|Names { names }| names)
    }

    /// As [`Client::children`], with the znode's stat.
    ///
    /// # Errors
    /// As [`Client::children`].
    pub async fn children2(&self, path: &str) -> Result<NamesStat, ClientError> {
        let body = PathWatch { path: self.full(path)?, watch: false };
        self.ask(OpCode::GetChildren2, &body, None).await
    }

    /// As [`Client::children2`], with a watch on the znode's children and deletion.
    ///
    /// # Errors
    /// As [`Client::children`].
    pub async fn children_and_watch(
        &self,
        path: &str,
    ) -> Result<(NamesStat, OneShotWatch), ClientError> {
        self.watched(OpCode::GetChildren2, OneShotKind::Child, path).await
    }

    /// Waits until the server has caught up with its leader.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn sync(&self, path: &str) -> Result<(), ClientError> {
        let body = PathOnly { path: self.full(path)? };
        self.ask(OpCode::Sync, &body, None).await.map(|PathResponse { .. }| ())
    }

    /// Executes a transaction. Returns one result for each operation.
    ///
    /// # Errors
    /// `Multi` with the operation that was refused.
    pub async fn multi(&self, transaction: &Transaction) -> Result<Vec<MultiResult>, ClientError> {
        let request = transaction.to_request(self.chroot())?;
        let results = self.multi_of(OpCode::Multi, &request).await?;
        // Operations before the one that failed report 0.
        for (index, result) in results.iter().enumerate() {
            if let MultiResult::Error(number @ (..=-1 | 1..)) = result {
                let code =
                    ErrorCode::from_number(*number).ok_or(ClientError::UnknownCode(*number))?;
                return Err(ClientError::Multi { index, code });
            }
        }
        Ok(results)
    }

    /// Executes several reads in one request. Each has a result of its own, which may be an error.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn multi_read(&self, ops: &[ReadOp<'_>]) -> Result<Vec<MultiResult>, ClientError> {
        let ops = ops.iter().map(|op| op.to_multi(self.chroot())).collect::<Result<_, _>>()?;
        self.multi_of(OpCode::MultiRead, &MultiRequest { ops }).await
    }

    async fn multi_of(
        &self,
        op: OpCode,
        request: &MultiRequest,
    ) -> Result<Vec<MultiResult>, ClientError> {
        let MultiResponse { mut results } = self.ask(op, request, None).await?;
        for result in &mut results {
            match result {
                MultiResult::Create(PathResponse { path })
                | MultiResult::Create2(PathStat { path, .. }) => *path = self.below(path),
                _ => {}
            }
        }
        Ok(results)
    }

    /// Sets a watch that stays.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn add_watch(
        &self,
        path: &str,
        mode: AddWatchMode,
    ) -> Result<PersistentWatch, ClientError> {
        let full = path::full(self.chroot(), path)?;
        let (to, notices) = mpsc::channel(self.handle.options.watch_capacity.max(2));
        let body = PathKind { path: Some(full.clone()), kind: mode as i32 };
        let effect = Effect::Persistent(mode, full, to);
        self.call(OpCode::AddWatch, &body, Some(effect)).await?;
        Ok(PersistentWatch::new(notices, Arc::clone(&self.handle.shared)))
    }

    /// Removes this client's watches of a kind from a path; they end with `WatchRemoved`. Returns
    /// the kinds of which there were any.
    ///
    /// # Errors
    /// `NoWatcher` and others.
    pub async fn remove_watches(
        &self,
        path: &str,
        kind: WatcherType,
    ) -> Result<Vec<WatcherType>, ClientError> {
        let full = path::full(self.chroot(), path)?;
        let body = PathKind { path: Some(full.clone()), kind: kind as i32 };
        let (to, removed) = oneshot::channel();
        let effect = Effect::Remove(kind, full, to);
        self.call(OpCode::RemoveWatches, &body, Some(effect)).await?;
        Ok(removed.await.unwrap_or_default())
    }

    /// Whether the server knows a watch of this kind on a path for this client.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn check_watches(&self, path: &str, kind: WatcherType) -> Result<bool, ClientError> {
        let body = PathKind { path: self.full(path)?, kind: kind as i32 };
        match self.call(OpCode::CheckWatches, &body, None).await {
            Ok(_) => Ok(true),
            Err(ClientError::Api(ErrorCode::NoWatcher)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Proves an identity. The credentials are repeated on every later connection, even if this
    /// future is dropped or the connection is lost before the answer.
    ///
    /// # Errors
    /// `AuthFailed`, and then the client is of no further use.
    pub async fn add_auth(&self, scheme: &str, data: &[u8]) -> Result<(), ClientError> {
        let packet = auth_packet(scheme, data);
        let effect = Effect::Auth(packet.clone());
        self.call(OpCode::Auth, &packet, Some(effect)).await.map(drop)
    }

    /// The identities that the server knows this connection by.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn whoami(&self) -> Result<Vec<ClientInfo>, ClientError> {
        let response: WhoAmIResponse = self.ask(OpCode::WhoAmI, &NoBody, None).await?;
        Ok(response.client_info)
    }

    /// The paths of this session's ephemerals that begin with `prefix`.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn ephemerals(&self, prefix: &str) -> Result<Vec<String>, ClientError> {
        let body = PathOnly { path: self.full(prefix)? };
        let Names { names } = self.ask(OpCode::GetEphemerals, &body, None).await?;
        Ok(names.iter().map(|path| self.below(path)).collect())
    }

    /// How many descendants a znode has.
    ///
    /// # Errors
    /// `NoNode`, `NoAuth` and others.
    pub async fn all_children_number(&self, path: &str) -> Result<i32, ClientError> {
        let body = PathOnly { path: self.full(path)? };
        self.ask(OpCode::GetAllChildrenNumber, &body, None).await.map(|Total { total }| total)
    }

    /// The ensemble's configuration, wherever the chroot is.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn config(&self) -> Result<DataStat, ClientError> {
        let body = PathWatch { path: Some(CONFIG.to_owned()), watch: false };
        self.ask(OpCode::GetData, &body, None).await
    }

    /// As [`Client::config`], with a watch on the configuration.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn config_and_watch(&self) -> Result<(DataStat, OneShotWatch), ClientError> {
        self.watched_at(OpCode::GetData, OneShotKind::Data, CONFIG.to_owned()).await
    }

    /// Changes the ensemble's membership: either by `joining` servers and `leaving` ids, or to
    /// `members`. With `base`, only if that is the current configuration's version. Returns the new
    /// configuration.
    ///
    /// # Errors
    /// `BadVersion`, `ReconfigInProgress`, `NewConfigNoQuorum`, `ReconfigDisabled` and others.
    pub async fn reconfig(
        &self,
        joining: Option<&str>,
        leaving: Option<&str>,
        members: Option<&str>,
        base: Option<i64>,
    ) -> Result<DataStat, ClientError> {
        let body = ReconfigRequest {
            joining_servers: joining.map(str::to_owned),
            leaving_servers: leaving.map(str::to_owned),
            new_members: members.map(str::to_owned),
            cur_config_id: base.unwrap_or(-1),
        };
        self.ask(OpCode::Reconfig, &body, None).await
    }

    /// Ends the session, and with it its ephemerals and watches, after all operations queued
    /// before. Waits for the server's word no longer than a session lives without it.
    ///
    /// # Errors
    /// The server may not know of the end, and keep the session until its timeout.
    pub async fn close(&self) -> Result<(), ClientError> {
        let reply = self.handle.shared.submit_close()?;
        if let Ok(reply) = tokio::time::timeout(self.session_timeout(), reply).await {
            return self.received(reply).map(drop);
        }
        self.abandon();
        Err(ClientError::NotConnected)
    }

    /// Drops the connection at once without ending the session, which another client may resume.
    pub fn abandon(&self) {
        self.handle.actor.abort();
        self.handle.shared.finish(ClientError::Closed);
    }

    /// The session's id and password, `None` before the first connection.
    pub fn session(&self) -> Option<SessionKey> {
        self.handle.shared.established().map(|established| established.key)
    }

    /// The session timeout: as granted, before the first connection as wished.
    pub fn session_timeout(&self) -> Duration {
        let established = self.handle.shared.established();
        established.map_or(self.handle.options.session_timeout, |established| established.timeout)
    }

    /// The server of the present or last connection, as `host:port`.
    pub fn server(&self) -> Option<String> {
        self.handle.shared.established().map(|established| established.server)
    }

    /// The highest zxid that a reply has shown.
    pub fn last_zxid(&self) -> Zxid {
        self.handle.shared.seen()
    }

    /// What has been tried to connect since there was a connection; empty while there is one.
    pub fn attempts(&self) -> Attempts {
        self.handle.shared.attempts()
    }

    /// Follows every event that a server sends to this client, each once, whichever watches it is
    /// for. No notice tells of the connections between which events may have been missed:
    /// [`Client::state`] does.
    pub fn events(&self) -> PersistentWatch {
        let (to, notices) = mpsc::channel(self.handle.options.watch_capacity.max(2));
        self.handle.shared.listen(to);
        PersistentWatch::new(notices, Arc::clone(&self.handle.shared))
    }

    /// Follows the session's state.
    pub fn state(&self) -> StateWatch {
        StateWatch(self.handle.shared.state().subscribe())
    }

    fn chroot(&self) -> &str {
        &self.handle.chroot
    }

    fn full(&self, shown: &str) -> Result<Option<String>, ClientError> {
        path::full(self.chroot(), shown).map(Some)
    }

    fn below(&self, full: &str) -> String {
        path::below(self.chroot(), full).to_owned()
    }

    fn one_shot(&self) -> (oneshot::Sender<crate::proto::Event>, OneShotWatch) {
        let (to, events) = oneshot::channel();
        (to, OneShotWatch::new(events, Arc::clone(&self.handle.shared)))
    }

    /// A read that leaves a one-shot watch if it succeeds.
    async fn watched<T: Decode>(
        &self,
        op: OpCode,
        kind: OneShotKind,
        path: &str,
    ) -> Result<(T, OneShotWatch), ClientError> {
        self.watched_at(op, kind, path::full(self.chroot(), path)?).await
    }

    /// The same at a server's path.
    async fn watched_at<T: Decode>(
        &self,
        op: OpCode,
        kind: OneShotKind,
        full: String,
    ) -> Result<(T, OneShotWatch), ClientError> {
        let (to, watch) = self.one_shot();
        let body = PathWatch { path: Some(full.clone()), watch: true };
        let result = self.ask(op, &body, Some(Effect::OneShot(kind, full, to))).await?;
        Ok((result, watch))
    }

    /// Sends a request and decodes the reply's body. What follows the record is ignored: later
    /// servers may add to it.
    async fn ask<T: Decode>(
        &self,
        op: OpCode,
        body: &impl Encode,
        effect: Option<Effect>,
    ) -> Result<T, ClientError> {
        let body = self.call(op, body, effect).await?;
        let limits = Limits { blob: self.handle.options.frame_limit, ..Limits::default() };
        Ok(T::decode(&mut Decoder::with_limits(body, limits))?)
    }

    /// Sends a request and waits for the reply's body.
    async fn call(
        &self,
        op: OpCode,
        body: &impl Encode,
        effect: Option<Effect>,
    ) -> Result<Bytes, ClientError> {
        let reply = self.handle.shared.submit(op, body, effect).await?;
        self.received(reply.await)
    }

    /// A reply, or why there will be none.
    fn received(
        &self,
        reply: Result<Result<Bytes, ClientError>, oneshot::error::RecvError>,
    ) -> Result<Bytes, ClientError> {
        reply.unwrap_or_else(|_| Err(self.handle.shared.ended().unwrap_or(ClientError::Closed)))
    }
}

/// A missing znode is an answer to exists, not an error.
fn found(result: Result<Stat, ClientError>) -> Result<Option<Stat>, ClientError> {
    match result {
        Ok(stat) => Ok(Some(stat)),
        Err(ClientError::Api(ErrorCode::NoNode)) => Ok(None),
        Err(error) => Err(error),
    }
}

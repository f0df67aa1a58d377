//! What an operator sees over HTTP: the commands of ZooKeeper's AdminServer, the page for
//! Prometheus, and whether the server lives and is ready.
//!
//! Requests are few and small. Each runs on a thread that may block, as it looks behind the locks.

mod commands;
mod health;
mod listen;
mod properties;
mod restore;
mod snapshot;
mod views;

use super::json::Json;
use crate::config::{Config, MetricsProvider};
use crate::server::{ServerError, Shared};
use crate::store::RocksStore;
use bytes::Bytes;
use commands::Request;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};
use listen::{Bodies, Port};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How Prometheus' text format calls itself.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Where the page for Prometheus is.
const METRICS_PATH: &str = "/metrics";
/// Between two requests on one connection to that.
const METRICS_IDLE: Duration = Duration::from_secs(30);

/// What each request can look at.
pub(crate) struct Admin {
    shared: Arc<Shared>,
    store: Arc<RocksStore>,
    limits: snapshot::Limits,
}

/// Starts what the configuration asks for.
///
/// # Errors
/// A port cannot be had: `AdminServer` or `Metrics`. A member of an ensemble goes on without the
/// AdminServer then, and so does a server whose operator has not asked for it by naming its port
/// (ZK: `QuorumPeer.start`, `ZooKeeperServerMain`).
pub(crate) fn start(
    shared: &Arc<Shared>,
    store: &Arc<RocksStore>,
) -> Result<Vec<JoinHandle<()>>, ServerError> {
    let config = &shared.config;
    let admin = Arc::new(Admin {
        shared: Arc::clone(shared),
        store: Arc::clone(store),
        limits: snapshot::Limits::new(config.admin.rate_limit_ms),
    });
    let mut tasks = Vec::new();
    if config.metrics.provider == MetricsProvider::Prometheus {
        let port = Port::bind(&config.metrics.endpoint, "metricsProvider.httpPort", METRICS_IDLE);
        let port = port.map_err(|failed| ServerError::Metrics(failed.to_string()))?;
        tracing::info!("metrics for Prometheus are at http://{}{METRICS_PATH}", port.address);
        let admin = Arc::clone(&admin);
        let answer = move |request, _| metrics(Arc::clone(&admin), request);
        tasks.push(tokio::spawn(port.serve(Arc::clone(shared), answer)));
    }
    if config.admin.enabled {
        let idle = Duration::from_millis(config.admin.idle_timeout_ms.into());
        match Port::bind(&config.admin.endpoint, "admin.serverPort", idle) {
            Ok(port) => {
                let url = &config.admin.command_url;
                tracing::info!("the AdminServer is at http://{}{url}", port.address);
                let answer = move |request, from| answer(Arc::clone(&admin), request, from);
                tasks.push(tokio::spawn(port.serve(Arc::clone(shared), answer)));
            }
            Err(failed) if is_wanted(config) => {
                return Err(ServerError::AdminServer(failed.to_string()));
            }
            Err(failed) => {
                let port = config.admin.endpoint.port;
                tracing::warn!(
                    "going on without the AdminServer: {failed}. Set admin.serverPort to another \
                     port than {port}, or admin.enableServer=false"
                );
            }
        }
    }
    Ok(tasks)
}

/// Whether a server alone must not start without its AdminServer.
fn is_wanted(config: &Config) -> bool {
    config.ensemble.is_none() && config.origin("admin.serverPort").is_some()
}

/// An answer: all at once, or as it is made.
type Answer = Response<Bodies>;

fn text(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Either::Left(Full::new(body.into())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

fn json(status: StatusCode, json: &Json) -> Answer {
    text(status, "application/json", json.text())
}

fn plain(status: StatusCode, body: &'static str) -> Answer {
    text(status, "text/plain; charset=utf-8", body)
}

/// Methods that are not answered, as ZooKeeper answers them.
fn refused(method: &Method, allowed: &'static str) -> Option<Answer> {
    let status = match method.as_str() {
        method if allowed.split(", ").any(|known| known == method) => return None,
        "OPTIONS" => StatusCode::OK,
        "TRACE" => StatusCode::FORBIDDEN,
        _ => StatusCode::METHOD_NOT_ALLOWED,
    };
    let mut answer = plain(status, "");
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    Some(answer)
}

/// Answers a request to the AdminServer's port.
async fn answer(admin: Arc<Admin>, request: hyper::Request<Incoming>, from: SocketAddr) -> Answer {
    let path = request.uri().path();
    if let Some(probe) = health::Probe::at(path) {
        let refused = refused(request.method(), "GET, HEAD");
        return match refused {
            Some(refused) => refused,
            None => blocking(move || probe.answer(&admin.shared)).await,
        };
    }
    let below = path.strip_prefix(admin.shared.config.admin.command_url.as_str());
    let name = match below {
        Some("" | "/") => String::new(),
        Some(rest) if rest.starts_with('/') => rest[1..].to_owned(),
        _ => {
            return plain(
                StatusCode::NOT_FOUND,
                "there are /commands, /health/live and /health/ready\n",
            );
        }
    };
    if let Some(refused) = refused(request.method(), "GET, HEAD, POST") {
        return refused;
    }
    let request = Request::new(name, request, from);
    commands::run(admin, request).await
}

/// Answers a request to the metrics' port.
async fn metrics(admin: Arc<Admin>, request: hyper::Request<Incoming>) -> Answer {
    if request.uri().path() != METRICS_PATH {
        return plain(StatusCode::NOT_FOUND, "metrics are at /metrics\n");
    }
    if let Some(refused) = refused(request.method(), "GET, HEAD") {
        return refused;
    }
    blocking(move || {
        let mut page = admin.shared.figures(&admin.shared.standing()).exposition();
        page += &admin.shared.own_figures(&admin.store).exposition();
        text(StatusCode::OK, EXPOSITION, page)
    })
    .await
}

/// Makes an answer on a thread that may block.
async fn blocking(make: impl FnOnce() -> Answer + Send + 'static) -> Answer {
    tokio::task::spawn_blocking(make).await.unwrap_or_else(|error| {
        tracing::error!("an HTTP request could not be answered: {error}");
        plain(StatusCode::INTERNAL_SERVER_ERROR, "this request could not be answered\n")
    })
}

//! What Kubernetes asks: whether the server lives, and whether it is of use to clients.

use super::{Answer, plain};
use crate::server::Shared;
use hyper::StatusCode;

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// It runs; starting it again would help nobody.
    Live,
    /// It serves clients.
    Ready,
}

impl Probe {
    /// The question at a path.
    pub(super) fn at(path: &str) -> Option<Self> {
        match path {
            "/health/live" => Some(Self::Live),
            "/health/ready" => Some(Self::Ready),
            _ => None,
        }
    }

    /// 200, or 503 for no.
    pub(super) fn answer(self, shared: &Shared) -> Answer {
        match self {
            Self::Live => plain(StatusCode::OK, "live\n"),
            Self::Ready if shared.standing().serving => plain(StatusCode::OK, "ready\n"),
            Self::Ready => plain(StatusCode::SERVICE_UNAVAILABLE, "not serving clients\n"),
        }
    }
}
